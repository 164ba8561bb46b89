/** Processor time as a clock: what other programs take of the machine does not count. */

/** Milliseconds that this process has had a processor, all of its threads together. Node only. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * What a WASI command knows of its model: the table that codegen/emit/wasi.ts writes, byte for byte in this order.
 *
 * Texts are UTF-8. Pointers count from the table's start.
 */

/** What the entry file says of the model. */
@unmanaged
export class Table {
  batch: u32;
  inputCount: i32;
  outputCount: i32;
  statusCount: i32;
  inputs: usize;
  outputs: usize;
  /** For each status: its number, its text, the text's length. */
  statuses: usize;
  name: usize;
  nameLength: u32;
  help: usize;
  helpLength: u32;
}

/** What the entry file says of an input or output, and below what we keep of it. */
@unmanaged
export class Tensor {
  /** As a JSON string. */
  name: usize;
  nameLength: u32;
  /** Type and shape in words. */
  expected: usize;
  expectedLength: u32;
  /** Element type (see npy.ts) and place of the tensor in memory. */
  storage: i32;
  offset: usize;
  batched: u32;
  /** Dimensions of one inference, from `shape` on as 64-bit numbers. */
  rank: i32;
  shape: usize;
  /** Elements of one inference. */
  size: u32;
  /** Nonzero where integers must be checked against `minimum` and `maximum`; 2 where 0 is refused too (bipolar). */
  checked: u32;
  /** Inputs: where the next elements wait (0: on standard input), and their type. Outputs: where answers gather. */
  waiting: usize;
  waitingType: i32;
  /** Of inputs that say how to run, and do not come with the others: samples (1), seed (2), batchOffset (3); 0: data. */
  control: i32;
  minimum: f64;
  maximum: f64;
}

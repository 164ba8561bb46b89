/** What a pool asks of hosts, and of the ways on which cells travel to workers and back. Types only. */
import type { CellMessage, Start } from './ring.js';

/** The main thread's end of the line to one worker. */
export interface Thread {
  post(message: Start | CellMessage, transfer?: ArrayBuffer[]): void;
  /** `lost` is called once, with words, where the worker ends by itself. */
  listen(receive: (message: unknown) => void, lost: (why: string) => void): void;
  /** Whether the process must wait for this worker. */
  hold(held: boolean): void;
  end(): void;
}

/** Where workers come from. */
export interface Host {
  /** The number of workers where none is said. */
  readonly cores: number;
  /** What to do where workers do not start. */
  readonly advice: string;
  start(): Thread;
}

/** A cell in the main thread's hands: the plan of its bytes is in cell.ts. */
export interface Cell {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Called with a cell that came back: 0, the module's status, or `trapped`; and how long a worker was at it, where known. */
export type Settle = (cell: Cell, status: number, milliseconds?: number) => void;

export interface Transport {
  /** A new thread with this number: what to tell it first. */
  join(worker: number, thread: Thread): Start['ring'];
  /** Takes a worker's message. */
  receive(worker: number, message: unknown): void;
  /** Opens a run of so many inferences and numbers it; undefined while too many are open. */
  open(inferences: number): number | undefined;
  /** So many inferences of an open run will never be sent. */
  abandon(run: number, inferences: number): void;
  /** A free cell. */
  take(): Cell | undefined;
  /** Sends a cell that was taken. */
  send(cell: Cell, run: number, rows: number): void;
  /**
   * Settles cells that have come back; true where there were any. After false `woken` is called when there are more: soon
   * where runs are `hungry` for cells, else when a run is complete or has failed.
   */
  collect(hungry: boolean): boolean;
  /** A worker is gone: the cells that it had, which are free again. */
  lose(worker: number): readonly Cell[];
  /** Nothing will be sent or received any more. */
  close(): void;
}

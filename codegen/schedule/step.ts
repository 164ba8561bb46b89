/**
 * Schedule steps as data, and how they print. What they do to a loop nest, and when they may, is in steps.ts.
 */

export type Step =
  /** loop -> loop.o x loop.i with `factor` iterations inside. `overrun`: the last may pass the extent (padded loads, guarded stores); of a reduction, it is shorter. */
  | { readonly step: 'split'; readonly loop: string; readonly factor: number; readonly overrun?: boolean }
  /** Only the iterations from <= loop < to of a space loop; other nests of the kernel do the rest. */
  | { readonly step: 'partition'; readonly loop: string; readonly from: number; readonly to: number }
  /** Neighbouring loops become one, `outer_inner`, over both. */
  | { readonly step: 'join'; readonly outer: string; readonly inner: string }
  | { readonly step: 'reorder'; readonly order: readonly string[] }
  | { readonly step: 'unroll'; readonly loop: string }
  | { readonly step: 'vectorize'; readonly loop: string }
  /** The group of products over this reduction loop is one intrinsic; of bytes, where `sevenBits` says which factor lies in 0 .. 127. */
  | { readonly step: 'dot'; readonly loop: string; readonly sevenBits?: 'a' | 'b' }
  /** The group of products is summed in 8 bits by lookups in a table of sums of a few; the lanes are those of bytes. */
  | { readonly step: 'lookup'; readonly loop: string }
  /** The group of products is summed in 12 bits, two outputs a lane; or, with `bytes`, with two outputs a byte of weights. */
  | { readonly step: 'share'; readonly loop: string; readonly bytes?: true }
  /** Each accumulator of a tuple has reduction loops of its own, one after the other inside the tile. */
  | { readonly step: 'apart' }
  | { readonly step: 'pipeline'; readonly loop: string; readonly initiationInterval: number };

export function printStep(s: Step): string {
  switch (s.step) {
    case 'split': return `split ${s.loop} by ${s.factor}${s.overrun ? ', overrun' : ''}`;
    case 'partition': return `partition ${s.loop} from ${s.from} to ${s.to}`;
    case 'join': return `join ${s.outer} ${s.inner}`;
    case 'reorder': return `reorder ${s.order.join(' ')}`;
    case 'dot': return `dot ${s.loop}${s.sevenBits ? `, ${s.sevenBits} of seven bits` : ''}`;
    case 'share': return `share ${s.loop}${s.bytes ? ', bytes' : ''}`;
    case 'apart': return 'apart';
    case 'pipeline': return `pipeline ${s.loop} every ${s.initiationInterval}`;
    default: return `${s.step} ${s.loop}`;
  }
}

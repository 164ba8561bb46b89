/**
 * What each optimization brings, in figures: the circuit estimated again without it, all else as it is, above all the folding. Not
 * here: what an optimization did, in words (optimizations.ts).
 */
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { elementCount } from '../../codegen/ir/graph.js';
import type { Leavable } from '../../codegen/ir/optimization.js';
import type { Program, ProgramUnit } from '../../codegen/ir/program.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { circuitOf, streamName } from '../../codegen/schedule/fabric/index.js';
import { togetherIn, type Folding } from '../../codegen/schedule/fabric/kernel.js';
import type { RomKind } from '../../codegen/schedule/fabric/memory.js';
import type { Usage } from '../../codegen/schedule/fabric/operators.js';
import { isThresholds, prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';

/** Everything that can be left out of an estimate; `memories` has two ways. */
export const ablations = ['normalization', 'merging', 'accumulators', 'thresholds', 'all constants in block memory', 'all constants in LUTs', 'matches', 'depths'] as const;
export type Ablation = (typeof ablations)[number];

/** A circuit's size, and the cycles of its slowest process: from call to call, where no queue makes it wait. */
export interface Figures extends Usage {
  readonly cycles: number;
}

/** The circuit as built, and without what there is to leave out; absent: the model gives it nothing to do. */
export interface Effects {
  readonly built: Figures;
  readonly without: Readonly<Partial<Record<Ablation, Figures>>>;
}

export interface EffectsOptions {
  readonly folding: Readonly<Record<string, Folding>>;
  /** Words by stream, as built. */
  readonly depths: Readonly<Record<string, number>>;
  /** Bits of a word of the bus to memory; 64 where nothing is said. */
  readonly bus?: number;
  /** The model's Program with graph passes left out. */
  readonly lowerWithout: (without: readonly Leavable[]) => ProgramUnit;
  /** Whether the model has batch normalizations, and quantizers behind layers. */
  readonly has: { readonly normalizations: boolean; readonly quantizers: boolean };
}

/** Estimates a lowered Program's circuit with and without each optimization that has something to do in it. */
export function effectsOf(lowered: ProgramUnit, { folding, depths, bus, lowerWithout, has }: EffectsOptions): Effects {
  const figures = (unit: ProgramUnit, { without = [], memories, accumulatorBits, words = depths }: Variant = {}): { figures: Figures; program: Program } => {
    const prepared = prepareFabric(unit, [], { without }, togetherIn(folding));
    const possible = new Map(foldables(prepared).map((f) => [f.name, f]));
    const legal = Object.fromEntries(Object.entries(folding).map(([name, own]) => {
      const f = possible.get(name);
      return [name, { ...own, pe: f?.pe.includes(own.pe) ? own.pe : 1, simd: f?.simd.includes(own.simd) ? own.simd : 1 }];
    }));
    const { program } = circuitOf(prepared, { folding: legal, depths: words, bus, drafts: new Map(), ...(memories ? { memories } : {}) }, []);
    const { total } = estimateResources(program, accumulatorBits ? { accumulatorBits } : {});
    return { figures: { ...total, cycles: Math.max(...processCycles(program).map((c) => c.cycles)) }, program };
  };
  const { figures: built, program } = figures(lowered);
  const steps: string[] = [];
  prepareFabric(lowered, steps);
  const kernels = program.blocks.flatMap((b) => (b.kind === 'kernel' ? [b] : []));
  const whole = Object.fromEntries(program.dataflow!.streams.map((s) => [streamName(s), Math.ceil(elementCount(program.tensors[s.tensor].shape) / s.lanes)]));
  const hasMemories = kernels.some((k) => Object.keys(k.scheduled?.memories ?? {}).length > 0);
  const ways: Readonly<Record<Ablation, { readonly applies: boolean; readonly unit?: () => ProgramUnit; readonly variant?: Variant }>> = {
    normalization: { applies: has.normalizations, unit: () => lowerWithout(['normalization']) },
    merging: { applies: has.quantizers, unit: () => lowerWithout(['merging']) },
    accumulators: { applies: kernels.some((k) => k.accumulators.some((a) => a.type !== 'float32')), variant: { accumulatorBits: 32 } },
    thresholds: { applies: steps.some((s) => /^narrow (\S+) /.test(s) && isThresholds(s.split(' ')[1])), variant: { without: ['thresholds'] } },
    'all constants in block memory': { applies: hasMemories, variant: { memories: 'bram' } },
    'all constants in LUTs': { applies: hasMemories, variant: { memories: 'lutram' } },
    matches: { applies: steps.some((s) => s.startsWith('count matches')), variant: { without: ['matches'] } },
    depths: { applies: program.dataflow!.streams.length > 0, variant: { words: whole } },
  };
  const without: Partial<Record<Ablation, Figures>> = {};
  for (const name of ablations) {
    const { applies, unit, variant } = ways[name];
    if (!applies) continue;
    try {
      without[name] = figures(unit ? unit() : lowered, variant).figures;
    } catch (error) {
      // Float sums in place of integers may be more than a folding can write out: then there is no such circuit to compare with.
      if (!(error instanceof DiagnosticError)) throw error;
    }
  }
  return { built, without };
}

interface Variant {
  readonly without?: readonly Leavable[];
  readonly memories?: RomKind;
  readonly accumulatorBits?: number;
  readonly words?: Readonly<Record<string, number>>;
}

/**
 * Image by image: runs of kernels that each work on one image of a batch alone become a repeat over the images, so that the
 * tensors between them hold one image, stay in the cache, and the schedules are those of a batch of one. No bit changes.
 *
 * Dense layers stay outside: they keep a panel of weights while several images pass.
 */
import { axis } from '../ir/build.js';
import { isAxis, mapLoads } from '../ir/indexing.js';
import type { Block, Buffer, Expr, Index, Kernel, Program, ProgramUnit, Tensor } from '../ir/program.js';
import { dependsOn, walkKernel } from '../ir/walk.js';
import { loadsOf } from './fuse.js';
import { unusedName } from './lower.js';

/** Wraps every run of such kernels in which weights are used at more than one place of an image. */
export function imageByImage(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  for (let from = 0; from < program.blocks.length; from++) {
    const count = imagesOf(program.blocks[from], program);
    if (count === undefined) continue;
    let to = from + 1;
    while (to < program.blocks.length && imagesOf(program.blocks[to], program) === count) to++;
    const run = program.blocks.slice(from, to) as Kernel[];
    if (run.some((k) => weightsMove(k, program) === true)) {
      program = wrap(program, from, run, count);
      steps.push(`image by image, ${count} times: ${run.filter((k) => k.op !== 'halo').map((k) => k.name).join(', ')}`);
    } else from = to - 1;
  }
  return { ...unit, program };
}

/** How many images a kernel works on, each alone, along its first axis; undefined where it is no such kernel. */
function imagesOf(block: Block, program: Program): number | undefined {
  if (block.kind !== 'kernel' || block.space.length === 0 || block.space[0].extent < 2) return undefined;
  const [{ name, extent }] = block.space;
  const places = [...block.stores, ...loadsOf(block)];
  let uses = 0;
  walkKernel(block, { index: (i) => { if (i.terms.some((t) => t.of === name)) uses++; } });
  const alone = places.every(({ tensor, at }) => {
    if (isConstant(program, tensor)) return at.every((i) => !dependsOn(i, name));
    if (at.length === 0 || program.tensors[tensor].shape[0] !== extent || !isAxis(at[0], name)) return false;
    uses--;
    return imageStride(program.tensors[tensor]) !== undefined;
  });
  return alone && uses === 0 && weightsMove(block, program) !== false ? extent : undefined;
}

const isConstant = (program: Program, tensor: string): boolean => program.buffers[program.tensors[tensor].buffer].role === 'constant';

/** Bits from one image to the next; undefined where images do not lie one after the other. */
function imageStride({ layout }: Tensor): number | undefined {
  const [digits] = layout.dims;
  if (digits?.length !== 1 || digits[0].divisor !== 1 || digits[0].modulus !== 0 || layout.pad?.[0] || layout.halo?.[0].some((n) => n > 0)) return undefined;
  return digits[0].stride;
}

/** True where weights meet more than one place of an image, false where each is used once an image, undefined without weights. */
function weightsMove(kernel: Kernel, program: Program): boolean | undefined {
  const loads = loadsOf(kernel);
  const reads = (l: { readonly at: readonly Index[] }, name: string): boolean => l.at.some((i) => dependsOn(i, name));
  const weights = loads.filter((l) => isConstant(program, l.tensor) && kernel.reduce.some((a) => reads(l, a.name)));
  if (weights.length === 0) return undefined;
  return kernel.space.slice(1).some((a) => a.extent > 1 && weights.some((w) => !reads(w, a.name)) && loads.some((l) => reads(l, a.name)));
}

function wrap(program: Program, from: number, run: readonly Kernel[], count: number): Program {
  const blocks = program.blocks.filter((_, i) => i < from || i >= from + run.length);
  const outside = new Set([...program.inputs, ...program.outputs, ...blocks.flatMap(tensorsOf)].map((t) => program.tensors[t].buffer));
  const tensors: Record<string, Tensor> = { ...program.tensors };
  const buffers: Record<string, Buffer> = { ...program.buffers };
  const inside = new Set<string>();
  const views = new Map<string, Tensor[]>();
  for (const t of Object.values(program.tensors)) views.set(t.buffer, [...(views.get(t.buffer) ?? []), t]);
  for (const buffer of new Set(run.flatMap(tensorsOf).map((t) => program.tensors[t].buffer))) {
    const own = views.get(buffer)!;
    const stride = imageStride(own[0]);
    if (outside.has(buffer) || buffers[buffer].role !== 'temporary' || stride === undefined || own.some((t) => t.shape[0] !== count || imageStride(t) !== stride)) continue;
    buffers[buffer] = { ...buffers[buffer], bytes: Math.max(16, Math.ceil(stride / 128) * 16) };
    for (const t of own) {
      tensors[t.name] = { ...t, shape: [1, ...t.shape.slice(1)] };
      inside.add(t.name);
    }
  }
  const names = Object.fromEntries(run.flatMap((k) => [...k.space, ...k.reduce]).map((a) => [a.name, true]));
  const image = unusedName(names, 'image');
  const place = (tensor: string, at: readonly Index[]): readonly Index[] => (inside.has(tensor) || isConstant(program, tensor) ? at : [axis(image), ...at.slice(1)]);
  const body = run.map((k): Kernel => {
    const moved = mapLoads(k, (l): Expr => ({ ...l, at: place(l.tensor, l.at) }));
    const [first, ...rest] = moved.space;
    return { ...moved, space: [{ ...first, extent: 1 }, ...rest], stores: moved.stores.map((s) => ({ ...s, at: place(s.tensor, s.at) })) };
  });
  return { ...program, tensors, buffers, blocks: [...program.blocks.slice(0, from), { kind: 'repeat', axis: image, count, body }, ...program.blocks.slice(from + run.length)] };
}

function tensorsOf(block: Block): string[] {
  if (block.kind === 'repeat') return [...(typeof block.count === 'number' ? [] : [block.count.input]), ...block.body.flatMap(tensorsOf)];
  return [...block.stores.map((s) => s.tensor), ...loadsOf(block).map((l) => l.tensor)];
}

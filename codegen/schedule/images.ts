/**
 * Image by image: runs of kernels that each work on one image of a batch alone become a repeat over the images, so that the
 * tensors between them hold one image, stay in the cache, and the schedules are those of a batch of one. No bit changes.
 *
 * Dense layers stay outside: they keep a panel of weights while several images pass. What is made once for all images, as drawn
 * weights are, is made ahead of the repeat.
 */
import { axis, constant } from '../ir/build.js';
import { isAxis, mapLoads } from '../ir/indexing.js';
import type { Block, Buffer, Expr, Index, Kernel, Program, ProgramUnit, Repeat, Tensor } from '../ir/program.js';
import { carriedTensors, dependsOn, walkKernel } from '../ir/walk.js';
import { loadsOf } from './fuse.js';
import { unusedName } from './lower.js';

/** Wraps every run of such kernels in which weights are used at more than one place of an image. */
export function imageByImage(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  const carried = carriedTensors(program.blocks);
  /** The blocks with such runs wrapped, those of repeats first. */
  const wrapped = (list: readonly Block[]): Block[] => {
    let blocks: readonly Block[] = list.map((b) => (b.kind === 'repeat' ? { ...b, body: wrapped(b.body) } : b));
    for (let from = 0; from < blocks.length; from++) {
      const count = imagesOf(blocks[from], program, carried);
      if (count === undefined) continue;
      let to = from + 1;
      while (to < blocks.length && imagesOf(blocks[to], program, carried) === count && !readsWhole(blocks[to] as Kernel, blocks.slice(from, to) as Kernel[])) to++;
      const run = blocks.slice(from, to) as Kernel[];
      if (run.some((k) => weightsMove(k, program) === true)) {
        const repeat = wrap(program, run, count);
        program = repeat.program;
        blocks = [...blocks.slice(0, from), repeat.block, ...blocks.slice(to)];
        steps.push(`image by image, ${count} times: ${run.filter((k) => k.op !== 'halo').map((k) => k.name).join(', ')}`);
      } else from = to - 1;
    }
    return [...blocks];
  };
  const blocks = wrapped(program.blocks);
  return { ...unit, program: { ...program, blocks } };
}

/** True where a kernel needs, for each image, all of what one of a run makes. */
function readsWhole(kernel: Kernel, run: readonly Kernel[]): boolean {
  const written = new Set(run.flatMap((k) => k.stores.map((s) => s.tensor)));
  return loadsOf(kernel).some((l) => written.has(l.tensor) && !dependsOn(l.at[0] ?? constant(0), kernel.space[0].name));
}

/** How many images a kernel works on, each alone, along its first axis; undefined where it is no such kernel. */
function imagesOf(block: Block, program: Program, carried: ReadonlySet<string>): number | undefined {
  if (block.kind !== 'kernel' || block.space.length === 0 || block.space[0].extent < 2) return undefined;
  if (block.stores.some((s) => carried.has(s.tensor))) return undefined;
  const [{ name, extent }] = block.space;
  const written = new Set(block.stores.map((s) => s.tensor));
  const places = [...block.stores, ...loadsOf(block)];
  let uses = 0;
  walkKernel(block, { index: (i) => { if (i.terms.some((t) => t.of === name)) uses++; } });
  const alone = places.every(({ tensor, at }) => {
    if (isConstant(program, tensor)) return at.every((i) => !dependsOn(i, name));
    // The same for all images, such as drawn weights; inputs come as they are.
    if (!written.has(tensor) && isTemporary(program, tensor) && at.every((i) => !dependsOn(i, name))) return true;
    if (at.length === 0 || program.tensors[tensor].shape[0] !== extent || !isAxis(at[0], name)) return false;
    uses--;
    return imageStride(program.tensors[tensor]) !== undefined;
  });
  return alone && uses === 0 && weightsMove(block, program) !== false ? extent : undefined;
}

const isTemporary = (program: Program, tensor: string): boolean => program.buffers[program.tensors[tensor].buffer].role === 'temporary';

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
  const image = kernel.space[0].name;
  const weights = loads.filter((l) => (isConstant(program, l.tensor) || (isTemporary(program, l.tensor) && !reads(l, image))) && kernel.reduce.some((a) => reads(l, a.name)));
  if (weights.length === 0) return undefined;
  return kernel.space.slice(1).some((a) => a.extent > 1 && weights.some((w) => !reads(w, a.name)) && loads.some((l) => reads(l, a.name)));
}

function wrap(program: Program, run: readonly Kernel[], count: number): { program: Program; block: Repeat } {
  const outside = new Set([...program.inputs, ...program.outputs, ...program.blocks.flatMap((b) => tensorsOf(b, run))].map((t) => program.tensors[t].buffer));
  const tensors: Record<string, Tensor> = { ...program.tensors };
  const buffers: Record<string, Buffer> = { ...program.buffers };
  const inside = new Set<string>();
  const views = new Map<string, Tensor[]>();
  for (const t of Object.values(program.tensors)) views.set(t.buffer, [...(views.get(t.buffer) ?? []), t]);
  for (const buffer of new Set(run.flatMap((k) => tensorsOf(k)).map((t) => program.tensors[t].buffer))) {
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
  const place = (tensor: string, at: readonly Index[], name: string): readonly Index[] => (inside.has(tensor) || isConstant(program, tensor) || !isAxis(at[0] ?? constant(0), name) ? at : [axis(image), ...at.slice(1)]);
  const body = run.map((k): Kernel => {
    const [first, ...rest] = k.space;
    const moved = mapLoads(k, (l): Expr => ({ ...l, at: place(l.tensor, l.at, first.name) }));
    return { ...moved, space: [{ ...first, extent: 1 }, ...rest], stores: moved.stores.map((s) => ({ ...s, at: place(s.tensor, s.at, first.name) })) };
  });
  return { program: { ...program, tensors, buffers }, block: { kind: 'repeat', axis: image, count, body } };
}

/** The tensors that kernels use, but for some. */
function tensorsOf(block: Block, without: readonly Kernel[] = []): string[] {
  if (block.kind === 'repeat') return [...(typeof block.count === 'number' ? [] : [block.count.input]), ...block.body.flatMap((b) => tensorsOf(b, without))];
  if (without.includes(block)) return [];
  return [...block.stores.map((s) => s.tensor), ...loadsOf(block).map((l) => l.tensor)];
}

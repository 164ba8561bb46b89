/** The C++ of a project: constants, kernels, the top function and its declaration. The texts come from codegen/emit/hls. */
import { isWide } from '../../codegen/emit/hls/design.js';
import type { Project } from './types.js';

/** A comment line: nothing of a name can end it or go on in the next line. */
export const comment = (text: string): string => `// ${text.replace(/[^\x20-\x7e]|\\/g, '_')}`;

/** Wraps a header in its guard. */
function guarded(name: string, lines: readonly string[]): string {
  const guard = `SIGMAFLOW_${name.toUpperCase()}_H`;
  return [`#ifndef ${guard}`, `#define ${guard}`, '', ...lines, '', '#endif', ''].join('\n');
}

/** The files of src/, but for the header that all projects share. */
export function sourceFiles({ name, model, text, version }: Project): Record<string, string> {
  const made = comment(`made by sigmaflow ${version} of ${model}`);
  return {
    [`src/${name}.h`]: [
      comment(`The top function of ${model}: one call is one inference of its batch. Arrays are row-major.`),
      ...(text.arguments.some(isWide) ? [comment('Words of the bus hold the bytes of an array as they lie in memory, lowest first; the last may have more than the array.')] : []),
      made,
      guarded(name, [
        '#include <stdint.h>',
        '#include <ap_int.h>',
        '',
        ...text.arguments.map((a) => comment(`${a.isInput ? 'in ' : 'out'} ${a.name}: ${a.type}[${a.elements}]${isWide(a) ? ` in ${a.word.count} words` : ''}, ${a.tensor.name} of shape [${a.tensor.shape.join(', ')}]${a.tensor.dtype === 'float32' ? '' : `, ${a.tensor.dtype}`}`)),
        text.prototype,
      ]),
    ].join('\n'),
    [`src/${name}.cpp`]: [
      comment('The circuit: processes that all run at once, joined by streams.'),
      made,
      `#include "${name}.h"`,
      '#include "sigmaflow_hls.h"',
      '#include "weights.h"',
      '#include "kernels.h"',
      '',
      text.top,
      '',
    ].join('\n'),
    'src/weights.h': [comment('Weights, thresholds and other constants, in the order in which the kernels read them.'), made, guarded(`${name}_weights`, ['#include "sigmaflow_hls.h"', '', text.weights])].join('\n'),
    'src/kernels.h': [
      comment('One function a process. Comments name the steps of the schedule that led to each kernel.'),
      made,
      guarded(`${name}_kernels`, ['#include "sigmaflow_hls.h"', '#include "weights.h"', '', 'using namespace sigmaflow;', '', text.processes]),
    ].join('\n'),
  };
}

/**
 * The lint of circuits' texts finds what it is for: a text without fault, and mutations of it. csim.test.ts applies it to every
 * design.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emitHls, type HlsText } from '../../codegen/emit/hls/design.js';
import { operators } from '../../codegen/ops/index.js';
import { circuitOf, sampleCases } from './circuits.js';
import { lint } from './lint.js';

const sample = sampleCases(operators.Conv).find((c) => /#pragma HLS ARRAY_/.test(emitHls(circuitOf(c, 1)).processes))!;
const design = emitHls(circuitOf(sample, 1), 'design');

type Part = 'weights' | 'processes' | 'top';
const mutations: readonly [string, Part, RegExp, string, RegExp][] = [
  ['recursion', 'processes', /^(static void (\w+)\(.*\) \{)$/m, '$1\n  $2(0, 0);', /(\w+) calls \1$/],
  ['dynamic memory', 'processes', /^(static void .*)$/m, '$1\n  int *more = new int[4];', /"new"/],
  ['a container', 'processes', /^(static void .*)$/m, '$1\n  std::vector<int> more;', /"std"/],
  ['a size of run time', 'processes', /^(static void .*)$/m, '$1\n  ap_int<8> t_more[size];', /size is no constant/],
  ['an endless loop', 'processes', /for \(int \w+ = 0; /, 'for (; ', /constant bounds/],
  ['a bound of run time', 'processes', /(for \(int (\w+) = 0; \2 <) \d+;/, '$1 end;', /constant bounds/],
  ['a loop on a condition', 'processes', /^(static void .*)$/m, '$1\n  while (true) {}', /"while"/],
  ['state in a process', 'processes', /^(static void .*)$/m, '$1\n  static ap_int<8> t_more[4];', /state/],
  ['state beside the weights', 'weights', /static const/, 'static', /not a constant/],
  ['state outside of processes', 'processes', /^/, 'int count = 0;\n', /outside of functions/],
  ['too many banks', 'processes', /(#pragma HLS ARRAY_\w+ variable=\w+) .*/, '$1 cyclic factor=4097 dim=1', /more than 4096 banks/],
  ['too large an array cut', 'processes', /#pragma HLS ARRAY_\w+ variable=\w+ .*/, '  ap_int<8> t_more[5000];\n#pragma HLS ARRAY_PARTITION variable=t_more complete', /more than 4096 banks/],
  ['a stream that is written where it is read', 'processes', /(\w+)\.read\(\)(.*)$/m, '$1.read()$2\n$1.write(word());', /read and written/],
  ['a stream that nobody reads', 'processes', /\b(?!w_)\w+\.read\(\)/g, '0', /neither read nor written/],
  ['a stream asked for its state', 'processes', /(\w+)\.read\(\)(.*)$/m, '$1.read()$2\n    if ($1.empty()) return;', /not only read or written/],
  ['a process called twice', 'top', /^( {2}process_\w+\(.*\);)$/m, '$1\n$1', /called 2 times/],
  ['two writers', 'top', /^( {2}process_\w+\(.*\);)$/m, '$1\n$1', /has 2 writers and 1 readers/],
  ['a process that is not called', 'top', /^ {2}process_\w+\(.*\);\n/m, '', /called 0 times/],
  ['processes in another order', 'top', /^( {2}process_\w+\(.*\);)\n( {2}process_\w+\(.*\);)$/m, '$2\n$1', /read before it is written/],
  ['work in the top function', 'top', /#pragma HLS DATAFLOW/, '#pragma HLS DATAFLOW\n  int sum = 0;', /does more than call/],
  ['a stream without depth', 'top', /#pragma HLS STREAM .*\n/, '', /has no depth/],
];

test('the text of a convolution has no fault', () => assert.equal(lint(design), []));
for (const [name, part, from, to, message] of mutations) {
  test(`lint: ${name}`, () => {
    const mutated: HlsText = { ...design, [part]: design[part].replace(from, to) };
    assert.is.not(mutated[part], design[part], 'the mutation finds its place');
    const faults = lint(mutated);
    assert.ok(faults.some((f) => message.test(f)), `found: ${faults.join('\n') || 'nothing'}`);
  });
}

test.run();

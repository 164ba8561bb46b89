/**
 * The test bench of a project, in C++: reads inputs and expected outputs (.npy, so that Python reads them too), calls the top
 * function and compares every bit. It serves g++ and the vendor's C simulation and co-simulation alike.
 */
import { isWide } from '../../codegen/emit/hls/design.js';
import type { Project } from './types.js';
import { comment } from './sources.js';

/** Differences that are printed one by one. */
const shown = 10;

/** The text of tb/testbench.cpp. */
export function testbench({ name, model, text, vectors, version }: Project): string {
  const outputs = text.arguments.filter((a) => !a.isInput);
  const values = outputs.reduce((n, a) => n + a.elements, 0);
  const at = (a: (typeof text.arguments)[number]): string => `&${a.name}[call * ${a.elements}]`;
  return [
    comment(`The test bench of ${model}: every bit of the circuit's outputs against those of the WebAssembly module.`),
    comment('usage: csim [FOLDER], by default tb/data. Exit status 0 where all bits are equal. NaNs count as equal.'),
    comment(`made by sigmaflow ${version}`),
    `#include "../src/${name}.h"`,
    '#include "../src/sigmaflow_hls.h"',
    '',
    '#include <cstdio>',
    '#include <cstdlib>',
    '#include <cstring>',
    '#include <string>',
    '#include <vector>',
    '',
    'static int differences = 0;',
    '',
    '/// The elements of a .npy file, which must be as many as expected.',
    'template <class T> static std::vector<T> array(const std::string &folder, const char *name, std::size_t elements) {',
    '  const std::string file = folder + "/" + name + ".npy";',
    '  std::FILE *in = std::fopen(file.c_str(), "rb");',
    '  unsigned char head[10];',
    '  std::vector<T> data(elements);',
    '  if (in == nullptr) {',
    '    std::printf("FAIL: cannot read %s\\n", file.c_str());',
    '    std::exit(1);',
    '  }',
    '  const bool isHeaded = std::fread(head, 1, 10, in) == 10 && std::memcmp(head, "\\x93NUMPY", 6) == 0 && std::fseek(in, head[8] + 256 * head[9], SEEK_CUR) == 0;',
    '  if (!isHeaded || std::fread(data.data(), sizeof(T), elements, in) != elements || std::fgetc(in) != EOF) {',
    '    std::printf("FAIL: %s is damaged, expected %lu elements of %lu bytes\\n", file.c_str(), static_cast<unsigned long>(elements), static_cast<unsigned long>(sizeof(T)));',
    '    std::exit(1);',
    '  }',
    '  std::fclose(in);',
    '  return data;',
    '}',
    '',
    '/// The bits of an element.',
    'template <class T> static uint32_t bitsOf(const T &value) {',
    '  uint32_t bits = 0;',
    '  std::memcpy(&bits, &value, sizeof(T));',
    '  return bits;',
    '}',
    '',
    'template <class T> static void compare(const char *name, int call, const T *found, const T *expected, int elements, const std::vector<int> &shape) {',
    '  for (int i = 0; i < elements; ++i) {',
    '    const bool areNaN = found[i] != found[i] && expected[i] != expected[i];',
    '    if (areNaN || bitsOf(found[i]) == bitsOf(expected[i])) continue;',
    `    if (++differences > ${shown}) continue;`,
    '    std::string place;',
    '    for (int d = static_cast<int>(shape.size()) - 1, rest = i; d >= 0; rest /= shape[d--]) place = std::to_string(rest % shape[d]) + (place.empty() ? "" : ", ") + place;',
    '    std::printf("FAIL: call %d, %s[%s] is %.9g (%0*x), expected %.9g (%0*x)\\n", call, name, place.c_str(), static_cast<double>(found[i]), static_cast<int>(2 * sizeof(T)), bitsOf(found[i]), static_cast<double>(expected[i]), static_cast<int>(2 * sizeof(T)), bitsOf(expected[i]));',
    '  }',
    '}',
    '',
    ...text.arguments.filter(isWide).map((a) => `static ${a.word.type} words_${a.name}[${a.word.count}];`),
    '',
    'int main(int count, char **arguments) {',
    '  const std::string folder = count > 1 ? arguments[1] : "tb/data";',
    `  const int calls = ${vectors.calls};`,
    ...text.arguments.map((a) => `  ${a.isInput ? '' : 'const '}std::vector<${a.type}> ${a.isInput ? '' : 'expected_'}${a.name} = array<${a.type}>(folder, "${a.name}", std::size_t(calls) * ${a.elements});`),
    ...outputs.map((a) => `  std::vector<${a.type}> ${a.name}(std::size_t(calls) * ${a.elements});`),
    '  for (int call = 0; call < calls; ++call) {',
    ...text.arguments.filter((a) => isWide(a) && a.isInput).map((a) => `    sigmaflow::wordsOf(${at(a)}, ${a.elements} * sizeof(${a.type}), words_${a.name});`),
    `    ${text.topName}(${text.arguments.map((a) => (isWide(a) ? `words_${a.name}` : at(a))).join(', ')});`,
    ...text.arguments.filter((a) => isWide(a) && !a.isInput).map((a) => `    sigmaflow::bytesOf(words_${a.name}, ${a.elements} * sizeof(${a.type}), ${at(a)});`),
    ...outputs.map((a) => `    compare("${a.name}", call, ${at(a)}, &expected_${a.name}[call * ${a.elements}], ${a.elements}, std::vector<int>{${a.tensor.shape.join(', ')}});`),
    '  }',
    `  const int values = calls * ${values};`,
    '  if (differences > 0) {',
    '    std::printf("FAIL: %d of %d values differ\\n", differences, values);',
    '    return 1;',
    '  }',
    `  std::printf("PASS: ${name}, %d calls, %d values equal in every bit\\n", calls, values);`,
    '  return 0;',
    '}',
    '',
  ].join('\n');
}

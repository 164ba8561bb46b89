/** sigmaflow/data: reads and writes array files. Bytes in, arrays out; the caller opens files. */
export { readIdx, type IdxArray, type IdxData } from './idx.js';
export { isNpy, isNpz, readNpy, readNpyStream, readNpz, writeNpy, writeNpz, type NpyArray, type NpyData, type NpySource, type NpyType } from './npy.js';

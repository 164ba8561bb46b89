/**
 * `--fit` of `uncertainty`: the factor of the variances at which validation data have the least negative log likelihood, one for the
 * network or one a layer, and a temperature beside it. Not here: how they are found (sdk/uncertainty/calibration.ts).
 */
import type { TwinOptions } from '../../codegen/passes/twins/twin.js';
import { fitCalibration, type CalibrationFit, type TemperatureFit } from '../uncertainty/calibration.js';
import { usage, type Arguments, type Option } from './command.js';
import type { DataSet } from './datasets.js';
import { importModel } from './engines.js';
import type { ModelFile } from './models.js';
import { count } from './text.js';

export const fitOption: Option = { name: 'fit', value: 'network|layer', doc: 'fits the factor of the variances on the validation set, one or one a layer, and studies the network with it' };

/** What was fitted on validation data. */
export interface Fitted {
  readonly calibration: CalibrationFit;
  readonly temperature?: TemperatureFit;
  readonly inputs: number;
}

/** What `--fit` asks for; refuses what cannot be fitted, before anything runs. */
export function fitOf(args: Arguments, model: ModelFile | undefined): 'network' | 'layer' | undefined {
  const text = args.text('fit');
  if (text === undefined) return undefined;
  if (text !== 'network' && text !== 'layer') usage(args.command, '--fit', `expected network or layer, found "${text}"`);
  if (!args.flag('validation')) usage(args.command, '--fit', 'a factor is fitted on data that judge nothing', 'Give --validation IMAGES,LABELS.');
  if (!model) usage(args.command, '--fit', 'a module\'s variances are as they were compiled', 'Give the model and its posterior.');
  if (args.flag('calibration')) usage(args.command, '--fit', '--calibration says the factor already', 'Give one of the two.');
  if (args.text('twin') === 'mean') usage(args.command, '--fit', 'the twin "mean" has no variances', 'Leave --twin away.');
  return text;
}

/** The model with the fitted factors. */
export async function fitModel(model: ModelFile, by: 'network' | 'layer', { inputs, labels }: DataSet, batch: number | undefined, options: { samples: number; seed: number }, onTry: (tries: number) => void): Promise<{ model: ModelFile; fit: CalibrationFit }> {
  const fit = await fitCalibration(importModel(model), { inputs, labels: labels! }, { ...options, by, ...(batch === undefined ? {} : { batch: Math.min(batch, 100) }), onTry });
  const twin: TwinOptions = { ...model.twin, calibration: fit.calibration };
  return { model: { ...model, twin }, fit };
}

/** Factors as `--calibration` takes them. */
export const factorsText = ({ calibration, layers }: CalibrationFit): string => (layers ? Object.entries(layers).map(([name, factor]) => `${name}=${factor}`).join(',') : String(calibration));

/** What was found, for people. */
export function fittedText({ calibration: fit, temperature: t, inputs }: Fitted): string {
  const nats = (x: number): string => x.toFixed(4);
  return [
    `fitted on ${count(inputs)} validation inputs: --calibration ${factorsText(fit)}, negative log likelihood ${nats(fit.before)} -> ${nats(fit.after)} nats (${fit.tries} tries)`,
    ...(fit.atEnd ? ['  it lies at an end of what was searched, 1/1000 to 1000'] : []),
    ...(t ? [`beside it, a temperature of ${t.temperature} on these logits would give ${nats(t.after)}`] : []),
  ].join('\n');
}

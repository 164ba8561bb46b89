/**
 * A study of uncertainty as one HTML page that needs nothing else: what it says in words, tables, histograms, reliability, aleatoric
 * against epistemic, risk over coverage, and the inputs that are worth a look. Light and dark. Not here: the study (metrics/study.ts).
 */
import type { Gallery, ScoreName, Study } from '../metrics/index.js';
import { escape, page } from '../html.js';
import { histogramChart, reliabilityChart, riskChart, scatterChart } from './charts.js';
import type { ScoreSource } from './outputs.js';
import { pngAddress, shrink, type Picture } from './png.js';
import { style } from './reportStyle.js';
import { brief, detectionFacts, figure, findings, howScored, overconfidence, percent, scoreMeanings, scoreTitles, setLabels, whole } from './words.js';

/** Where a study's figures come from. */
export interface StudyFacts {
  readonly model: string;
  readonly source: ScoreSource;
  /** Of weights or logits, where there are any. */
  readonly samples: number;
  readonly seed: number;
  readonly sampledWeights?: boolean;
  /** Factor of the variances. */
  readonly calibration?: number | string;
  readonly preprocessing?: string;
  /** ISO 8601. */
  readonly date: string;
  readonly sets: readonly { readonly name: string; readonly file: string }[];
  /** Names of the classes. */
  readonly classNames?: readonly string[];
  readonly compiler?: string;
  readonly programHash?: string;
}

/** The picture of an input, where it is one. */
export type PictureOf = (set: string, index: number) => Picture | undefined;

/** The page of a study, as text. */
export function uncertaintyReport(study: Study, facts: StudyFacts, pictureOf: PictureOf = () => undefined): string {
  const title = `${facts.model}: how sure it is, and when it should not be`;
  return page({
    title,
    style,
    header: [
      `<p class="muted">${escape(`${howScored(study, facts)} · ${facts.date.slice(0, 10)}`)}</p>`,
      tiles(study),
      `<ul class="findings">${findings(study, facts).map((f) => `<li>${escape(f)}</li>`).join('\n')}</ul>`,
    ],
    main: [
      setsSection(study),
      detectionSection(study),
      scatterSection(study),
      histogramSection(study),
      reliabilitySection(study),
      riskSection(study),
      gallerySection(study, facts, pictureOf),
      factsSection(study, facts),
    ],
  });
}

/** A table with a header a column, the first cell of each row its name. */
function table(caption: string, head: readonly string[], rows: readonly (readonly string[])[], cell: (text: string, row: number, column: number) => string = (text) => `<td>${text}</td>`): string {
  return [
    `<div class="scroll" tabindex="0" role="region" aria-label="${escape(caption)}"><table>`,
    `<thead><tr>${head.map((h) => `<th scope="col"${h === 'by' ? ' class="left"' : ''}>${h}</th>`).join('')}</tr></thead>`,
    `<tbody>${rows.map(([name, ...cells], r) => `<tr><th scope="row">${name}</th>${cells.map((text, c) => cell(text, r, c)).join('')}</tr>`).join('\n')}</tbody>`,
    '</table></div>',
  ].join('\n');
}

const asTable = (content: string): string => `<details><summary>The figures as a table</summary>${content}</details>`;

function section(id: string, title: string, ...content: string[]): string {
  return [`<section aria-labelledby="${id}">`, `<h2 id="${id}">${title}</h2>`, ...content, '</section>'].join('\n');
}

const keys = (items: readonly string[], kind: 'set' | 'score'): string => `<ul class="keys">${items.map((text, i) => `<li><i class="${kind}${i % 6}"></i>${escape(text)}</li>`).join('')}</ul>`;
const setKeys = (study: Study): string => keys(Object.values(setLabels(study)), 'set');

function tiles(study: Study): string {
  const tile = (what: string, value: string, more: string): string => `<div><dt>${escape(what)}</dt><dd>${escape(value)}<small>${escape(more)}</small></dd></div>`;
  const [own] = study.sets;
  const best = (set: string, scores: readonly ScoreName[]) => study.detections.filter((d) => d.set === set && d.from.length === 1 && scores.includes(d.score)).reduce<Study['detections'][number] | undefined>((a, b) => (a && a.auroc >= b.auroc ? a : b), undefined);
  const apart = study.sets.flatMap((s) => {
    const found = s.role === 'in-domain' ? undefined : best(s.name, s.role === 'ambiguous' && study.scores.includes('softmaxEntropy') ? ['softmaxEntropy'] : study.scores);
    return found ? [tile(`${s.name} from ${own.name}`, found.auroc.toFixed(3), `AUROC by ${scoreTitles[found.score]} uncertainty`)] : [];
  });
  const { deferral } = study;
  return [
    '<dl class="tiles">',
    own.accuracy === undefined ? '' : tile('accuracy', percent(own.accuracy, 2), `of ${whole(own.inputs)} inputs of ${own.name}`),
    own.calibrationErrorByWidth === undefined ? '' : tile('calibration error', percent(own.calibrationErrorByWidth, 2), `negative log likelihood ${figure(own.negativeLogLikelihood)} nats`),
    ...apart.slice(0, 4),
    deferral ? tile('answered', percent(deferral.sets[0].coverage), `with ${percent(deferral.sets[0].risk ?? 0, 2)} wrong, deferring above ${brief(deferral.threshold)}`) : '',
    '</dl>',
  ].join('\n');
}

function setsSection(study: Study): string {
  const labels = setLabels(study);
  const rows = study.sets.map((s) => [
    escape(labels[s.name]), whole(s.inputs), s.accuracy === undefined ? '–' : percent(s.accuracy, 2), figure(s.negativeLogLikelihood), figure(s.brierScore), figure(s.calibrationErrorByWidth), figure(s.calibrationErrorByMass),
    ...study.scores.map((score) => figure(s.means[score])),
  ]);
  return section(
    'sets', 'The sets',
    '<p class="muted">Likelihood and calibration where labels are known; the last columns are means over inputs, in nats (variance apart).</p>',
    table('The sets', ['set', 'inputs', 'accuracy', 'NLL', 'Brier', 'ECE', 'ECE, equal mass', ...study.scores.map((s) => scoreTitles[s])], rows),
    `<details><summary>What the columns are</summary><ul>${[
      ['NLL', 'mean of −ln of the mean probability of the label, nats, of soft labels the cross entropy; a probability counts as at least 2^−126, 87 nats'], ['Brier', 'squared distance to the label, summed over classes: 0 to 2'],
      ['ECE', 'expected calibration error of the likeliest class, 15 bins closed on the right, of equal width or of equal mass'], ...study.scores.map((s) => [scoreTitles[s], scoreMeanings[s]]),
    ].map(([name, text]) => `<li><b>${name}</b>: ${escape(text)}</li>`).join('')}</ul></details>`,
  );
}

function detectionSection(study: Study): string {
  const facts = detectionFacts(study);
  if (facts.length === 0) return '';
  const top = new Map<string, number>();
  for (const d of facts) top.set(d.what, Math.max(top.get(d.what) ?? 0, d.auroc));
  const rows = facts.map((d) => [escape(d.what), scoreTitles[d.score], d.auroc.toFixed(4), d.aupr.toFixed(4), percent(d.falsePositiveRateAt95), percent(d.truePositiveRateAt5), brief(d.thresholdAt5)]);
  return section(
    'apart', 'Told apart',
    '<p class="muted">How well a score ranks the first set above the other: 1 always, 0.5 by chance, below 0.5 the wrong way round. Ties count one half.</p>',
    table('Told apart', ['what from what', 'by', 'AUROC', 'AUPR', 'false alarms at 95 % found', 'found at 5 % false alarms', 'alarm above'], rows, (text, r, c) => {
      const { auroc, what } = facts[r];
      return `<td${c === 0 ? ' class="left"' : c === 1 && auroc < 0.5 ? ' class="bad"' : c === 1 && auroc === top.get(what) ? ' class="best"' : ''}>${text}</td>`;
    }),
  );
}

function scatterSection(study: Study): string {
  if (study.scatter.length === 0) return '';
  const described = `Aleatoric against epistemic uncertainty of ${study.scatter.map((s) => `${s.points.length} inputs of ${s.name}`).join(', ')}; the means are in the table of the sets.`;
  const most = Math.max(...study.sets.map((s, i) => s.inputs - study.scatter[i].points.length));
  return section(
    'parts', 'Two kinds of doubt',
    `<p class="muted">A dot an input${most > 0 ? `, at most ${whole(Math.max(...study.scatter.map((s) => s.points.length)))} of a set, at equal distances` : ''}. To the right: the input itself leaves it open. Upwards: the network has not learnt such inputs. The large dots are the sets' means.</p>`,
    setKeys(study),
    `<figure>${scatterChart(study, described)}</figure>`,
  );
}

function histogramSection(study: Study): string {
  const charts = study.histograms.map((h) => {
    const title = scoreTitles[h.score];
    const rows = h.sets[0].counts.map((_, b) => [`${brief(h.edges[b])} to ${brief(h.edges[b + 1])}`, ...h.sets.map((s) => whole(s.counts[b]))]);
    return `<figure><figcaption>${title} <span>${escape(scoreMeanings[h.score])}</span></figcaption>${histogramChart(h, h.score === 'logitVariance' ? title : `${title}, nats`, `Histogram of ${title} uncertainty of ${h.sets.map((s) => s.name).join(', ')}; the counts are in the table below.`)}${asTable(table(`Histogram of ${title} uncertainty`, ['from, to', ...h.sets.map((s) => escape(s.name))], rows))}</figure>`;
  });
  return section('histograms', 'How it is spread', '<p class="muted">The share of each set in bins of equal width; the scale is logarithmic, so that rare inputs show. The last bin also has what lies beyond.</p>', setKeys(study), `<div class="charts">${charts.join('\n')}</div>`);
}

function reliabilitySection(study: Study): string {
  if (study.reliability.length === 0) return '';
  const charts = study.reliability.map(({ name, byWidth }) => {
    const rows = byWidth.map((b) => [`${b.from.toFixed(3)} to ${b.to.toFixed(3)}`, whole(b.count), ...(b.count === 0 ? ['–', '–'] : [percent(b.confidence, 2), percent(b.accuracy, 2)])]);
    const over = overconfidence(byWidth);
    return `<figure><figcaption>${escape(name)} <span>on average ${percent(Math.abs(over), 2)} ${over >= 0 ? 'too sure' : 'too cautious'}</span></figcaption>${reliabilityChart(byWidth, study.sets.findIndex((s) => s.name === name), `Reliability diagram of ${name}: accuracy over confidence in 15 bins; the figures are in the table below.`)}${asTable(table(`Reliability of ${name}`, ['confidence above, up to', 'inputs', 'mean confidence', 'right'], rows))}</figure>`;
  });
  return section('reliability', 'Is it as sure as it is right?', '<p class="muted">On the diagonal it is; below it is too sure. A dot a bin, as large as there are many inputs in it.</p>', `<div class="charts">${charts.join('\n')}</div>`);
}

function riskSection(study: Study): string {
  if (study.riskCoverage.length === 0) return '';
  const { deferral } = study;
  const [own] = study.sets;
  const rows = study.riskCoverage.map((c) => [scoreTitles[c.score], c.area.toFixed(5), ...[0.5, 0.8, 0.9, 0.95].map((coverage) => percent(c.curve.find((p) => p.coverage >= coverage)!.risk, 2))]);
  const rule = deferral
    ? `<p>Suggested: answer inputs with a ${scoreTitles[deferral.score]} uncertainty of at most <b>${brief(deferral.threshold)}</b>${deferral.score === 'logitVariance' ? '' : ' nats'} (the ring). The rule: of all thresholds of that score at which at most ${percent(deferral.risk, 2)} of the answers are wrong, the one that answers most; chosen on ${escape(deferral.chosenOn)}${deferral.validated ? ', apart from the sets here' : ' itself, so that what it reaches here is a little too good'}.</p>${table('At the suggested threshold', ['set', 'answered', 'deferred', 'wrong among answered'], deferral.sets.map((s) => [escape(s.name), percent(s.coverage), percent(1 - s.coverage), s.risk === undefined ? '–' : percent(s.risk, 2)]))}`
    : '';
  return section(
    'risk', 'When it should defer',
    `<p class="muted">${escape(own.name)}, answered from the most certain input on: the fewer are answered, the fewer are wrong, as far as the score knows.</p>`,
    keys(study.riskCoverage.map((c) => scoreTitles[c.score]), 'score'),
    `<figure>${riskChart(study.riskCoverage, deferral, `Risk over coverage of ${own.name} by ${study.riskCoverage.map((c) => scoreTitles[c.score]).join(', ')}; figures are in the table below.`)}${asTable(table('Risk over coverage', ['score', 'area (mean risk)', 'wrong at 50 %', 'at 80 %', 'at 90 %', 'at 95 %'], rows))}</figure>`,
    rule,
  );
}

function gallerySection(study: Study, { classNames }: StudyFacts, pictureOf: PictureOf): string {
  const nameOf = (c: number): string => classNames?.[c] ?? String(c);
  const parts = study.galleries.map((g) => {
    const items = g.inputs.map((i) => {
      const picture = pictureOf(g.set, i.index);
      const labelled = i.label === undefined ? '' : i.label === i.predicted ? ', rightly' : `, is ${nameOf(i.label)}`;
      const said = `Input ${i.index} of ${g.set}: taken for ${nameOf(i.predicted)} with ${percent(i.probability, 0)}${labelled}; ${scoreTitles[g.score]} ${brief(i.value)}`;
      const image = picture ? `<img src="${pngAddress(shrink(picture))}" alt="${escape(said)}" title="${escape(said)}">` : '';
      return `<li>${image}<b>${escape(nameOf(i.predicted))}</b> ${percent(i.probability, 0)}${i.label === undefined || i.label === i.predicted ? '' : ` <span class="muted">is ${escape(nameOf(i.label))}</span>`}<br><span class="muted">${brief(i.value)} · #${i.index}</span></li>`;
    });
    return `<h3>${escape(galleryTitle(g))}</h3><ul class="gallery">${items.join('\n')}</ul>`;
  });
  return section('inputs', 'Inputs worth a look', '<p class="muted">Below each: what it is taken for and how surely, the score, and its place in the set.</p>', ...parts);
}

function galleryTitle({ set, score, order, mistakes }: Gallery): string {
  if (mistakes) return `${set}: the surest mistakes`;
  return order === 'lowest' ? `${set}: least doubted, though out of domain` : `${set}: most ${scoreTitles[score]} uncertainty`;
}

function factsSection(study: Study, facts: StudyFacts): string {
  const rows: [string, string | undefined][] = [
    ['model', facts.model],
    ['run as', howScored(study, facts)],
    ...facts.sets.map((s): [string, string] => [s.name, s.file]),
    ['preprocessing', facts.preprocessing === undefined ? 'none: inputs as they are given' : `${facts.preprocessing}, of every set, never a set's own statistics`],
    ['mutual information', facts.source === 'none' ? undefined : 'from few samples it is biased low: compare it only at equal numbers of samples'],
    ['precision', facts.source === 'module' ? 'entropies are the module\'s, in float32: differences below some 1e-6 nats are rounding' : undefined],
    ['date', facts.date],
    ['compiler', facts.compiler],
    ['program SHA-256', facts.programHash],
  ];
  return section('facts', 'Where these figures come from', '<table class="facts"><tbody>', ...rows.filter(([, text]) => text !== undefined).map(([name, text]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(text!)}</td></tr>`), '</tbody></table>');
}

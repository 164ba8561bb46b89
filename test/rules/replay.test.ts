/** The replay: every stage of the example models prints as it was committed. Not whether the stages are right. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { advice, committedHashes, differences, hashStages, replay } from '../../scripts/replay.js';

const stages = replay();

test('the example models, stage by stage, are those that were committed', () => {
  assert.ok(stages.length >= 12 && stages.every(({ text }) => text.length > 500));
  const lines = differences(hashStages(stages), committedHashes());
  assert.is(lines.length, 0, `${lines.join('\n')}\n${advice}`);
});

test('a second replay prints the same', () => {
  assert.equal(differences(hashStages(replay()), hashStages(stages)), []);
});

test('differences name the model and the stage', () => {
  const committed = { 'a.onnx': { graph: '1', lowered: '2' }, 'b.onnx': { graph: '3' } };
  assert.equal(differences(committed, committed), []);
  assert.equal(differences({ 'a.onnx': { graph: '1', lowered: '9', 'scheduled for scalar': '4' } }, committed), [
    'a.onnx, lowered: differs',
    'a.onnx, scheduled for scalar: is new',
    'b.onnx, graph: is gone',
  ]);
});

test.run();

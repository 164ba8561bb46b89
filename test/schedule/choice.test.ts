/** Schedules as data: applied again, also from text, they are the same schedule. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applySchedule, scheduleData, type ScheduleData } from '../../codegen/schedule/choice.js';
import { defaultSchedule } from '../../codegen/schedule/defaults/index.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { lower } from '../../codegen/schedule/lower.js';
import { printProgram } from '../../codegen/ir/print.js';
import { targets } from '../../codegen/targets/target.js';
import { runPasses } from '../../codegen/compile.js';
import { infer } from '../../codegen/passes/infer.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import fs from 'node:fs';

const models = new URL('../../examples/models/', import.meta.url);

for (const name of ['mlp_w2a2', 'lenet_w4a4']) {
  for (const target of Object.values(targets)) {
    test(`${name}, ${target.name}: the defaults as text give the same Program`, () => {
      const unit = lower(infer(runPasses(importOnnx(new Uint8Array(fs.readFileSync(new URL(`${name}.onnx`, models))), { name })), { batch: 1 }));
      let chosen = 0;
      const again = schedule(unit, target, {
        choose(kernel, program) {
          chosen++;
          const text = JSON.stringify(scheduleData(defaultSchedule(kernel, program, target)));
          return applySchedule(kernel, JSON.parse(text) as ScheduleData);
        },
      });
      assert.ok(chosen > 0);
      assert.is(printProgram(again.program), printProgram(schedule(unit, target).program));
    });
  }
}

test.run();

// Workers of activities: tasks, signs of life, failures, retries, redrives.
import { strict as assert } from 'node:assert';
import { ask, ended, history, machine, refused, start, test, types } from './kit.mjs';

/** An activity, and an execution of a machine that asks for it. */
async function work(name, more = {}) {
  const { activityArn } = await ask('CreateActivity', { name });
  const state = { Type: 'Task', Resource: activityArn, End: true, ...more };
  return [activityArn, await start(await machine(name, { A: state }), { input: '{"n":20}' })];
}

const take = (activityArn) => ask('GetActivityTask', { activityArn, workerName: 'js' });

test('a worker gets a task, gives signs of life and succeeds', async () => {
  const [activity, execution] = await work('js-worker', { HeartbeatSeconds: 20 });
  const { taskToken, input } = await take(activity);
  assert.deepEqual(JSON.parse(input), { n: 20 });
  await ask('SendTaskHeartbeat', { taskToken });
  await ask('SendTaskSuccess', { taskToken, output: '{"n":21}' });
  const told = await ended(execution);
  assert.deepEqual([told.status, JSON.parse(told.output)], ['SUCCEEDED', { n: 21 }]);
  await refused('TaskTimedOut', 'SendTaskHeartbeat', { taskToken });
  await refused('InvalidToken', 'SendTaskSuccess', { taskToken: 'nothing', output: '1' });
});

test('a worker that waits gets what comes later', async () => {
  const { activityArn } = await ask('CreateActivity', { name: 'js-early' });
  const waiting = take(activityArn);
  const state = { Type: 'Task', Resource: activityArn, End: true };
  const execution = await start(await machine('js-early', { A: state }));
  await ask('SendTaskSuccess', { taskToken: (await waiting).taskToken, output: '{}' });
  assert.equal((await ended(execution)).status, 'SUCCEEDED');
});

test('a task that fails is tried again', async () => {
  const Retry = [{ ErrorEquals: ['Flaky'], IntervalSeconds: 1 }];
  const [activity, execution] = await work('js-retry', { Retry });
  const { taskToken } = await take(activity);
  await ask('SendTaskFailure', { taskToken, error: 'Flaky', cause: 'try again' });
  const second = await take(activity);
  assert.notEqual(second.taskToken, taskToken);
  await ask('SendTaskSuccess', { taskToken: second.taskToken, output: '{}' });
  assert.equal((await ended(execution)).status, 'SUCCEEDED');
  const events = await history(execution);
  const failed = events.find((event) => event.type === 'ActivityFailed');
  assert.deepEqual(failed.activityFailedEventDetails, { error: 'Flaky', cause: 'try again' });
  assert.equal(types(events).filter((type) => type === 'ActivityScheduled').length, 2);
});

test('a task whose worker falls silent fails', async () => {
  const [activity, execution] = await work('js-silent', { HeartbeatSeconds: 1 });
  const { taskToken } = await take(activity);
  const told = await ended(execution);
  assert.equal(told.status, 'FAILED');
  await refused('TaskTimedOut', 'SendTaskHeartbeat', { taskToken });
  const timedOut = (await history(execution)).find((event) => event.type === 'ActivityTimedOut');
  assert.equal(timedOut.activityTimedOutEventDetails.error, 'States.HeartbeatTimeout');
});

test('a failed execution is redriven', async () => {
  const [activity, executionArn] = await work('js-redrive');
  const { taskToken } = await take(activity);
  await refused('ExecutionNotRedrivable', 'RedriveExecution', { executionArn });
  await ask('SendTaskFailure', { taskToken, error: 'Broken' });
  assert.equal((await ended(executionArn)).status, 'FAILED');
  const { redriveDate } = await ask('RedriveExecution', { executionArn });
  assert.ok(redriveDate instanceof Date);
  await ask('SendTaskSuccess', { taskToken: (await take(activity)).taskToken, output: '"good"' });
  const told = await ended(executionArn);
  assert.deepEqual([told.status, told.redriveCount, told.output], ['SUCCEEDED', 1, '"good"']);
});

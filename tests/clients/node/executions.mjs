// Machines and executions: created, started, listed, stopped.
import { strict as assert } from 'node:assert';
import { ask, client, ended, history, machine, refused, sfn, start, test, types } from './kit.mjs';

const PASS = { A: { Type: 'Pass', Result: { done: true }, End: true } };
const WAIT = { A: { Type: 'Wait', Seconds: 100_000, End: true } };

test('a machine is created once, described, changed and deleted', async () => {
  const stateMachineArn = await machine('js-machine', PASS);
  assert.equal(await machine('js-machine', PASS), stateMachineArn);
  const told = await ask('DescribeStateMachine', { stateMachineArn });
  assert.deepEqual(JSON.parse(told.definition).States, PASS);
  const definition = JSON.stringify({ StartAt: 'A', States: WAIT });
  const changed = await ask('UpdateStateMachine', { stateMachineArn, definition, publish: true });
  assert.equal(changed.stateMachineVersionArn, `${stateMachineArn}:1`);
  assert.ok(changed.updateDate instanceof Date);
  await ask('DeleteStateMachine', { stateMachineArn });
  await refused('StateMachineDoesNotExist', 'DescribeStateMachine', { stateMachineArn });
});

test('an execution is started once by its name', async () => {
  const arn = await machine('js-start', PASS);
  const execution = await start(arn, { name: 'once', input: '{"n":1}' });
  const told = await ended(execution);
  assert.equal(told.status, 'SUCCEEDED');
  assert.deepEqual(JSON.parse(told.output), { done: true });
  assert.ok(told.startDate <= told.stopDate && told.stopDate <= new Date(Date.now() + 1000));
  const again = { stateMachineArn: arn, name: 'once', input: '{"n":2}' };
  await refused('ExecutionAlreadyExists', 'StartExecution', again);
  await refused('InvalidExecutionInput', 'StartExecution', { ...again, input: '{' });
  const listed = await ask('ListExecutions', { stateMachineArn: arn, statusFilter: 'SUCCEEDED' });
  assert.deepEqual(listed.executions.map((one) => one.executionArn), [execution]);
});

test('texts of any language come back as they were sent', async () => {
  const input = JSON.stringify({ text: 'Grüße, 世界 🌍 \u0000 "\\', huge: 12345678901234567n.toString() });
  const echo = { A: { Type: 'Pass', End: true } };
  const told = await ended(await start(await machine('js-text', echo), { input }));
  assert.deepEqual(JSON.parse(told.output), JSON.parse(input));
});

test('a history is read page by page, and holds what happened', async () => {
  const execution = await start(await machine('js-history', PASS));
  await ended(execution);
  const events = await history(execution);
  assert.deepEqual(types(events),
    ['ExecutionStarted', 'PassStateEntered', 'PassStateExited', 'ExecutionSucceeded']);
  assert.deepEqual(events.map((event) => event.id), [1, 2, 3, 4]);
  assert.equal(events[2].stateExitedEventDetails.name, 'A');
  assert.deepEqual(await history(execution, 1), events);
});

test('an execution is stopped with an error and a cause', async () => {
  const executionArn = await start(await machine('js-stop', WAIT));
  await ask('StopExecution', { executionArn, error: 'Enough', cause: 'no longer wanted' });
  const told = await ended(executionArn);
  assert.deepEqual([told.status, told.error, told.cause],
    ['ABORTED', 'Enough', 'no longer wanted']);
  assert.equal((await history(executionArn)).at(-1).type, 'ExecutionAborted');
});

test('an express execution is waited for', async () => {
  const stateMachineArn = await machine('js-sync', PASS, { type: 'EXPRESS' });
  const told = await ask('StartSyncExecution', { stateMachineArn });
  assert.deepEqual([told.status, JSON.parse(told.output)], ['SUCCEEDED', { done: true }]);
});

test('a request that is signed with another secret is refused', async () => {
  const { accessKeyId } = await sfn.config.credentials();
  const stranger = client({ credentials: { accessKeyId, secretAccessKey: 'another' } });
  await refused('InvalidSignatureException', 'ListActivities', {}, stranger);
});

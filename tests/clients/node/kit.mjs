// What the tests share: their list, the client under test, and waiting.
import { strict as assert } from 'node:assert';
import { SFNClient } from '@aws-sdk/client-sfn';
import * as sdk from '@aws-sdk/client-sfn';

export const ROLE = 'arn:aws:iam::000000000000:role/tests';
// What nothing here takes.
const PATIENCE = 30_000;

const tests = [];

/** Enters a test; its name is a sentence. */
export function test(name, body) {
  tests.push({ name, body });
}

/** Runs all tests, and tells how many went well. */
export async function run() {
  let failed = 0;
  for (const { name, body } of tests) {
    const begin = Date.now();
    try {
      await body();
      console.log(`ok   ${name} (${Date.now() - begin} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n     ${error.stack}`);
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed || !tests.length ? 1 : 0);
}

/** A client as docs/STEP_FUNCTIONS.md tells people to make it. Tries nothing again. */
export function client(more = {}) {
  return new SFNClient({
    endpoint: process.env.EVERSTEP_URL,
    region: 'us-east-1',
    disableHostPrefix: true,
    maxAttempts: 1,
    ...more,
  });
}

export const sfn = client();

/** Asks for what `operation` is, as `CreateActivity`. */
export function ask(operation, input = {}, of = sfn) {
  return of.send(new sdk[`${operation}Command`](input));
}

/** Asks for what has to be refused, as the exception that the SDK has for it. */
export async function refused(name, operation, input, of = sfn) {
  const error = await ask(operation, input, of).then(
    (answer) => assert.fail(`${name} was expected, and there was ${JSON.stringify(answer)}`),
    (error) => error,
  );
  assert.equal(error.name, name, error.stack);
  assert.ok(error.message, 'a refusal has words');
  if (sdk[name]) assert.ok(error instanceof sdk[name], `${name} is no exception of the SDK`);
}

/** Creates a state machine, and gives its ARN. */
export async function machine(name, states, more = {}) {
  const definition = JSON.stringify({ StartAt: 'A', States: states });
  const made = await ask('CreateStateMachine', { name, definition, roleArn: ROLE, ...more });
  assert.ok(made.creationDate instanceof Date, 'times are times');
  return made.stateMachineArn;
}

/** Starts an execution, and gives its ARN. */
export async function start(stateMachineArn, more = {}) {
  return (await ask('StartExecution', { stateMachineArn, ...more })).executionArn;
}

/** What an execution has come to. */
export async function ended(executionArn) {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end) {
    const told = await ask('DescribeExecution', { executionArn });
    if (told.status !== 'RUNNING') return told;
    await new Promise((next) => setTimeout(next, 20));
  }
  assert.fail(`${executionArn} did not end`);
}

/** All events of an execution, page by page. */
export async function history(executionArn, pageSize = 100) {
  const events = [];
  const pages = sdk.paginateGetExecutionHistory({ client: sfn, pageSize }, { executionArn });
  for await (const page of pages) events.push(...page.events);
  return events;
}

export const types = (events) => events.map((event) => event.type);

// Runs the tests of @aws-sdk/client-sfn.
import { run } from './kit.mjs';
import './executions.mjs';
import './activities.mjs';

await run();

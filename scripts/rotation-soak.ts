// Rotation of credentials under load: three nodes call each other with unary, server-streaming and bidirectional calls
// while their leaves are replaced in every way in which people and tools write files, their CA is rolled over, and
// broken sets are put in between.
//
//   npm run rotation-soak                                    200 rotations by each style, 50 broken sets: some ten minutes
//   npm run rotation-soak -- --rotations 30 --broken 12      shorter
//
// Ends with a table, and with exit code 1 if any call failed or a consistent set took too long in the median.
import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors/selvedge-error.ts';
import { type RotationPlan, type RotationReport, rotateUnderLoad } from './kit/rotate-under-load.ts';
import { ADOPTION_LIMIT_MS, medianOf, rotationTable } from './kit/rotation-table.ts';

const plan = planAskedFor();
console.log(`Rotating under load: ${plan.rotations} times by each style, ${plan.broken} broken sets`);
try {
  const report = await rotateUnderLoad({
    ...plan,
    onStep: ({ name, adoptionsMs, failed }) =>
      console.log(`  ${name}: ${adoptionsMs.length}, median ${medianOf(adoptionsMs)} ms, ${failed} calls failed`),
  });
  print(report);
  process.exit(isGood(report) ? 0 : 1);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}

function planAskedFor(): RotationPlan {
  try {
    const { rotations = '200', broken = '50' } = parseArgs({
      options: { rotations: { type: 'string' }, broken: { type: 'string' } },
    }).values;
    const asked = { rotations: Number(rotations), broken: Number(broken) };
    if (Object.values(asked).every(count => Number.isInteger(count) && count > 0)) return asked;
  } catch {
    // Said below, like every other way to call it wrongly.
  }
  console.error('usage: npm run rotation-soak [-- --rotations N --broken N]');
  process.exit(2);
}

function print({ steps, load, exitCodes }: RotationReport): void {
  console.log('');
  for (const line of rotationTable(steps)) console.log(`  ${line}`);
  console.log('\n  Times: from a consistent set on the disk to a handshake that shows it is in use.');
  console.log(
    `  ${load.unary} unary, ${load.serverStreaming} server-streaming, ${load.bidirectional} bidirectional calls: ${load.failed} failed`,
  );
  console.log(`  ${load.cut} open-ended streams were cut with a reason`);
  for (const failure of load.failures) console.log(`  ! ${failure}`);
  if (exitCodes.some(code => code !== 0)) console.log(`  nodes ended with ${exitCodes.join(', ')}`);
}

/** A noisy machine may delay one sample, so the median is judged; the table shows the worst. */
function isGood({ steps, load, exitCodes }: RotationReport): boolean {
  const isFast = steps.every(({ adoptionsMs }) => medianOf(adoptionsMs) <= ADOPTION_LIMIT_MS);
  return load.failed === 0 && isFast && exitCodes.every(code => code === 0);
}

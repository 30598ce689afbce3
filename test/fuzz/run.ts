/** `npm run fuzz -- TARGET [--minutes 10] [--seed N]`: figures on stdout, one line a finding; exit 1 where there is one. */
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'
import { targetNamed } from './targets.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
})
const target = targetNamed(positionals[0] ?? '')
const figures = fuzz(target, { seed: Number(values.seed), cpuMs: Number(values.minutes) * 60_000, say: (line) => process.stderr.write(`${line}\n`) })
const { inputs, blocks, blocksOfSeeds, kept, findings, cpuS } = figures
process.stdout.write(
  `${target.name}: ${inputs} inputs in ${cpuS.toFixed(0)} s of processor time, ${blocksOfSeeds} blocks by the seeds, ${blocks} in the end, ${kept} inputs kept, ${findings.length} findings\n`,
)
for (const { error, input } of findings) process.stdout.write(`  ${error}: ${JSON.stringify(input)}\n`)
process.exitCode = findings.length > 0 ? 1 : 0

import { others, trials } from './sandbox-trials.ts'

for (const name of others) trials(name)

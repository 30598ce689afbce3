import { backends, trials } from './sandbox-trials.ts'

for (const name of backends) trials(name)

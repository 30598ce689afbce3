/** Writes docs/schema/model-policy.schema.json, for editors: name it as "$schema" in a policy file. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publishedSchema } from '../src/models/policy/schema.ts'

const folder = join(import.meta.dirname, '..', 'docs', 'schema')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'model-policy.schema.json'), `${JSON.stringify(publishedSchema(), null, 2)}\n`)

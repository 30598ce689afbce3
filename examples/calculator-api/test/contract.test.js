import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const api = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))
const statuses = (path, method) => Object.keys(api.paths[path]?.[method]?.responses ?? {}).join()
const same = (what, is, want) => assert.ok(is === want, `${what}: ${is || 'none'}, not ${want}`)

test('openapi.json describes every endpoint', () => {
  same('endpoints', Object.keys(api.paths).join(), '/health,/operations,/calculate')
})

test('openapi.json names every status of a calculation', () => {
  same('statuses', statuses('/calculate', 'post'), '200,400,422')
})

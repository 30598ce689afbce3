/**
 * The yardstick of `npm run bench -- agent`: what an agent takes that has no sandbox, no receipts, no gates and no commit.
 * Usage: node reference-agent.mjs BASE_URL GOAL, in the repository.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const [baseUrl, goal] = process.argv.slice(2)
const spec = (name, ...keys) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: Object.fromEntries(keys.map((key) => [key, { type: 'string' }])), required: keys } },
})
const tools = [spec('read', 'path'), spec('edit', 'path', 'old', 'new'), spec('test'), spec('submit', 'title', 'summary')]
const run = {
  read: ({ path }) => readFileSync(path, 'utf8'),
  edit({ path, old, new: fresh }) {
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(old, () => fresh),
    )
    return 'done'
  },
  test: () => spawnSync('npm', ['test', '--silent'], { encoding: 'utf8' }).stdout.slice(0, 4000),
}
const messages = [
  { role: 'system', content: 'You are an engineer. Use the tools; call submit when the tests pass.' },
  { role: 'user', content: goal },
]
for (;;) {
  const body = JSON.stringify({ model: 'scripted', messages, tools, stream: false })
  const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { message } = (await response.json()).choices[0]
  messages.push(message)
  for (const { id, function: called } of message.tool_calls ?? []) {
    if (called.name === 'submit') process.exit(0)
    messages.push({ role: 'tool', tool_call_id: id, content: run[called.name](JSON.parse(called.arguments)) })
  }
}

/**
 * What the capability tests ask: small real work in a scratch repository, with words that fit a small model. Values only;
 * how an answer is scored is in `score.ts`. Source: contracts/policy.md section 1.
 */
import { AGENT_TOOLS } from '../../agent/tools.ts'
import type { ModelRequest, ToolSpec } from '../../models/contract.ts'

export type ScratchFiles = Readonly<Record<string, string>>

/** `edit`: the answer is scored by what becomes of the files. */
export type Case =
  | { readonly check: 'valid_unified_diff'; readonly files: ScratchFiles; readonly goal: string; readonly touches: readonly string[] }
  | { readonly check: 'tool_call'; readonly files: ScratchFiles; readonly goal: string; readonly path: string }
  | { readonly check: 'plan_covers_files'; readonly files: ScratchFiles; readonly goal: string; readonly needed: readonly string[] }
  | { readonly check: 'valid_json'; readonly files: ScratchFiles; readonly goal: string; readonly expect: Readonly<Record<string, unknown>> }

const PACKAGE = `${JSON.stringify({ name: 'scratch', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } })}\n`

const testOf = (path: string, names: string, body: string) =>
  `import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { ${names} } from '../${path}'\n\n${body}\n`

const CART: ScratchFiles = {
  'package.json': PACKAGE,
  'src/cart.js': `export function total(items) {
  let sum = 0
  for (const item of items) {
    sum += item.price
  }
  return sum
}

export function count(items) {
  let sum = 0
  for (const item of items) {
    sum += 1
  }
  return sum
}
`,
  'test/cart.test.js': testOf(
    'src/cart.js',
    'count, total',
    "test('total counts the quantity', () => assert.equal(total([{ price: 2, quantity: 3 }, { price: 1, quantity: 1 }]), 7))\ntest('count stays', () => assert.equal(count([{}, {}]), 2))",
  ),
}

const TEXT: ScratchFiles = {
  'package.json': PACKAGE,
  'src/text.js': `export const LIMIT = 10

export function words(text) {
  return text.split(' ').filter((word) => word !== '')
}

export function shorten(text) {
  if (text.length <= LIMIT) return text
  return text.slice(0, LIMIT) + '...'
}
`,
  'test/text.test.js': testOf(
    'src/text.js',
    'LIMIT, shorten, words',
    "test('limit', () => assert.equal(LIMIT, 5))\ntest('end', () => assert.equal(shorten('abcdefgh'), 'abcde~'))\ntest('words stay', () => assert.deepEqual(words('a  b'), ['a', 'b']))",
  ),
}

const RENAME: ScratchFiles = {
  'package.json': PACKAGE,
  'src/price.js': 'export const price = (item) => item.cents / 100\n',
  'src/cart.js': "import { price } from './price.js'\n\nexport const total = (items) => items.reduce((sum, item) => sum + price(item), 0)\n",
  'src/invoice.js': "import { price } from './price.js'\n\nexport const line = (item) => item.name + ' ' + price(item)\n",
  'src/words.js': "export const prices = 'a list of words, no function'\n",
  'test/price.test.js': testOf('src/price.js', 'price', "test('price', () => assert.equal(price({ cents: 150 }), 1.5))"),
}

/** By `prompt_ref`. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  unified_diff: [
    {
      check: 'valid_unified_diff',
      files: CART,
      goal: 'In src/cart.js, total must count the quantity of each item: price times quantity. count stays as it is.',
      touches: ['src/cart.js'],
    },
    {
      check: 'valid_unified_diff',
      files: TEXT,
      goal: "In src/text.js, set LIMIT to 5, and let shorten end with '~' in place of '...'.",
      touches: ['src/text.js'],
    },
  ],
  tool_call: [
    {
      check: 'tool_call',
      files: CART,
      goal: 'In src/cart.js, total must count the quantity of each item: price times quantity. count stays as it is.',
      path: 'src/cart.js',
    },
    { check: 'tool_call', files: TEXT, goal: "In src/text.js, set LIMIT to 5, and let shorten end with '~' in place of '...'.", path: 'src/text.js' },
  ],
  multi_file_plan: [
    {
      check: 'plan_covers_files',
      files: RENAME,
      goal: 'Rename the function price to unitPrice, everywhere it is defined or used.',
      needed: ['src/price.js', 'src/cart.js', 'src/invoice.js', 'test/price.test.js'],
    },
  ],
  json: [
    {
      check: 'valid_json',
      files: { 'src/cart.js': CART['src/cart.js'] ?? '' },
      goal: 'path: the path of the file, a text. functions: the names of the exported functions in their order, a list of texts. returns: how many lines begin with "  return", a number.',
      expect: { path: 'src/cart.js', functions: ['total', 'count'], returns: 2 },
    },
    {
      check: 'valid_json',
      files: { 'src/text.js': TEXT['src/text.js'] ?? '' },
      goal: 'limit: the value of LIMIT, a number. first: the name of the first exported function, a text. hasClass: whether there is a class, true or false.',
      expect: { limit: 10, first: 'words', hasClass: false },
    },
  ],
}

const TOOLS: readonly ToolSpec[] = AGENT_TOOLS.filter(({ name }) => name === 'read' || name === 'edit' || name === 'test')

const shown = (files: ScratchFiles) =>
  Object.entries(files)
    .filter(([path]) => path !== 'package.json')
    .map(([path, text]) => `${path}\n\`\`\`\n${text}\`\`\``)
    .join('\n\n')

const WORDS: Readonly<Record<Case['check'], string>> = {
  valid_unified_diff:
    'You change code. Answer with one unified diff and nothing else: --- a/PATH, +++ b/PATH, @@ with line numbers, and lines that begin with a blank, - or +.',
  tool_call: 'You change code by calling tools, one at a time. First read the file, then edit it. old must be a text that stands in the file exactly once.',
  plan_covers_files:
    'You plan a change. Answer with one JSON object and nothing else: {"files": [{"path": "…", "change": "what to change there"}]}. Name each file that has to change and no other.',
  valid_json: 'You read code. Answer with one JSON object and nothing else, with exactly the keys that are asked for.',
}

/** The first request of a case. */
export function requestOf(one: Case): ModelRequest {
  const isCall = one.check === 'tool_call'
  return {
    messages: [
      { role: 'system', text: WORDS[one.check] },
      { role: 'user', text: isCall ? `${one.goal}\n\nFiles:\n${Object.keys(one.files).join('\n')}` : `${one.goal}\n\n${shown(one.files)}` },
    ],
    tools: isCall ? TOOLS : [],
    max_tokens: 2048,
    temperature: 0,
  }
}

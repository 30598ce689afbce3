/**
 * One-line breaks of the product, each with the test that must turn red: `npm run test:mutants` holds every row to it.
 * `from` stands exactly once in its file; `test.name` is the whole name, suites first: `suite > test`.
 */
export interface Mutant {
  readonly file: string
  readonly from: string
  readonly to: string
  readonly test: { readonly file: string; readonly name: string }
  /** What would be wrong, in a few words. */
  readonly why: string
}

const at = (file: string, name: string): Mutant['test'] => ({ file, name })

export const MUTANTS: readonly Mutant[] = [
  // repair
  {
    why: 'a run that did not hold is opened for a repair',
    file: 'src/pas/embedded/reducer/reduce.ts',
    from: "state.status !== 'completed' ||",
    to: '!FINAL_RUN.has(state.status) ||',
    test: at('src/pas/embedded/reducer/reduce.test.ts', 'a repair is for what is done, once at a time; within the caps it stays'),
  },
  {
    why: 'a test that the run added may go in a repair',
    file: 'src/pas/embedded/kpi/join.ts',
    from: '!known.has(id)',
    to: 'known.has(id)',
    test: at('src/pas/embedded/kpi/join.test.ts', 'what either side added counts'),
  },

  // local models
  {
    why: 'an Ollama is let cut a prompt',
    file: 'src/models/providers/ollama.ts',
    from: '{ truncate: false, shift: false }',
    to: '{}',
    test: at('src/models/providers/ollama.test.ts', 'a prompt over the window is refused by a server that listens, and noticed on one that cuts'),
  },
  {
    why: 'a model that is passed on to another host is asked',
    file: 'src/models/providers/ollama.ts',
    from: 'if (model.remoteHost !== null)',
    to: 'if (model.remoteHost === spec.baseUrl)',
    test: at('src/models/providers/ollama.test.ts', 'a model that is passed on to another host is not asked'),
  },
  {
    why: 'a cut that the count tells is whole',
    file: 'src/models/probe/window.ts',
    from: 'const isCounted = usage.tokens_in >= sent * 0.97 - SLACK_TOKENS',
    to: 'const isCounted = usage.tokens_in > 0',
    test: at('src/models/probe/window.test.ts', 'a window: a model that repeats none'),
  },
  {
    why: 'a file with another hash is taken',
    file: 'src/models/pull/download.ts',
    from: 'if (sha256 !== null && found !== sha256.toLowerCase())',
    to: 'if (sha256 !== null && found.length !== sha256.length)',
    test: at('src/models/pull/download.test.ts', 'nothing of a wrong file stays: model.protocol'),
  },
  {
    why: 'what came of another file is gone on with',
    file: 'src/models/pull/download.ts',
    from: "{ 'if-range': etag }",
    to: '{}',
    test: at('src/models/pull/download.test.ts', 'a file that is another one now is begun anew'),
  },
  {
    why: 'results of several calls go to Gemini one by one',
    file: 'src/models/providers/adapter.ts',
    from: '.reduce<LanguageModelV4Message[]>(joined, [])',
    to: '',
    test: at('src/models/providers/servers.test.ts', 'google: turns of several calls, of words and calls, of malformed arguments, of nothing, are all taken'),
  },

  // core
  {
    why: 'canonical JSON sorts as a language does',
    file: 'src/core/json.ts',
    from: '(a < b ? -1 : a > b ? 1 : 0)',
    to: 'a.localeCompare(b)',
    test: at('src/core/json.test.ts', 'by code unit, not as a language sorts'),
  },
  {
    why: 'a conflict exits as an unexpected error does',
    file: 'src/core/errors.ts',
    from: 'const CONFLICT = { exit: 7,',
    to: 'const CONFLICT = { exit: 1,',
    test: at('src/core/errors.test.ts', 'patch.stale ends with 7'),
  },

  // store
  {
    why: 'a lost tail is taken for a whole ledger',
    file: 'src/store/breaks.ts',
    from: 'state.tx < before.tx',
    to: 'state.tx > before.tx',
    test: at('src/store/sqlite.test.ts', 'a database put back from an older copy is incomplete, however much is written after it'),
  },
  {
    why: 'a lost tail is forgotten with the next write',
    file: 'src/store/breaks.ts',
    from: 'if (found) recordBreak(db, tx, found)',
    to: '',
    test: at('src/store/sqlite.test.ts', 'a database put back from an older copy is incomplete, however much is written after it'),
  },
  {
    why: 'an anchor that was deleted was never there',
    file: 'src/store/breaks.ts',
    from: 'if (!state.isAnchored || anchor.read() !== null) return null',
    to: 'return null',
    test: at('src/store/sqlite.test.ts', 'an anchor that is gone is noticed, however much is written after it'),
  },
  {
    why: 'an older anchor replaces a newer one',
    file: 'src/store/anchor.ts',
    from: 'if (slot && slot.tx >= anchor.tx && holds(slot)) return',
    to: '',
    test: at('src/store/anchor.test.ts', 'anchor: a process that knows of no newer one writes no older over it'),
  },
  {
    why: 'a torn write costs both slots of the anchor',
    file: 'src/store/anchor.ts',
    from: '(anchor.tx % 2) * SLOT',
    to: '(anchor.tx % 1) * SLOT',
    test: at('src/store/anchor.test.ts', 'anchor: a torn newest slot leaves the one before'),
  },
  {
    why: 'the copy before a migration lacks the write-ahead log',
    file: 'src/store/sqlite.ts',
    from: "if (version > 0) db.exec('PRAGMA wal_checkpoint(TRUNCATE)')",
    to: "if (version > newest) db.exec('PRAGMA wal_checkpoint(TRUNCATE)')",
    test: at('src/store/sqlite.test.ts', 'a migration keeps a copy of the file and the sums of new columns'),
  },
  {
    why: 'rows are counted, and not read',
    file: 'src/store/sums.ts',
    from: "want['rows'] !== have.rows || want['digest'] !== have.digest",
    to: "want['rows'] !== have.rows",
    test: at('src/store/sqlite.test.ts', 'changed in the file itself, where no page sum is: a byte of a value'),
  },

  // ledger
  {
    why: 'the chain is that of the columns, not of the bodies',
    file: 'src/ledger/verify.ts',
    from: 'receipt.prev !== prev || row.prev !== prev',
    to: 'row.prev !== prev',
    test: at('src/ledger/ledger.test.ts', 'altered, with every key made to fit: one body rewritten'),
  },
  {
    why: 'a known key is as good as its signature',
    file: 'src/ledger/verify.ts',
    from: "key !== undefined && key.verify(Buffer.from(checkpointBytes(row)), Buffer.from(row.signature, 'base64url'))",
    to: 'key !== undefined',
    test: at('src/ledger/ledger.test.ts', 'a forged seal and a run that vanished are noticed'),
  },
  {
    why: 'a checkpoint does not name the one before',
    file: 'src/ledger/checkpoints.ts',
    from: 'prev: last ? sha256(checkpointBytes(last)) : GENESIS',
    to: 'prev: GENESIS',
    test: at('src/ledger/ledger.test.ts', 'checkpoints are a chain: one that was taken out is noticed, each on its own is signed'),
  },
  {
    why: 'lines of a bundle are taken as they stand',
    file: 'src/operations/runs/bundle.ts',
    from: 'if (seal.sha256 !== sha)',
    to: 'if (seal.sha256 === undefined)',
    test: at('test/e2e/proof.test.ts', 'a bundle elsewhere > edited: tokens that were spent'),
  },
  {
    why: 'who has the key may rewrite the events of a bundle',
    file: 'src/operations/runs/bundle-proof.ts',
    from: "if (receipt.op !== 'run.end') return true",
    to: 'return true',
    test: at('test/e2e/proof.test.ts', 'a bundle elsewhere > edited: tokens that were spent'),
  },
  {
    why: 'a loss is no alarm, accepted or not',
    file: 'src/operations/runs/verify.ts',
    from: 'const open = problems.filter((problem) => problem.accepted === undefined)',
    to: 'const open = problems.filter(() => false)',
    test: at(
      'test/e2e/proof.test.ts',
      'a ledger that was put back > what doctor says of it is what verify says, until a person accepts the loss: recorded, and shown for ever',
    ),
  },
  {
    why: 'copies for vp undo are counted, and not read',
    file: 'src/operations/blobs.ts',
    from: 'return sha256(bytes) === sha ? bytes : null',
    to: 'return bytes',
    test: at('test/e2e/proof.test.ts', 'a ledger that was put back > before-images that are garbage are found by verify and doctor alike'),
  },

  // policy
  {
    why: "a repository's yes is enough where the user's lane asks",
    file: 'src/policy/argv.ts',
    from: "outer.effect === 'deny' || (own.effect === 'allow' && outer.effect === 'ask') ?",
    to: "outer.effect === 'deny' ?",
    test: at('src/policy/policy.test.ts', 'a repository narrows and never widens'),
  },
  {
    why: '`**` at the end does not reach the last part',
    file: 'src/policy/glob.ts',
    from: 'for (let at = first; at <= have.length; at++)',
    to: 'for (let at = first; at < have.length; at++)',
    test: at('src/policy/policy.test.ts', 'globs'),
  },
  {
    why: "a token widens an agent's scopes",
    file: 'src/policy/scopes.ts',
    from: "actor === 'agent' ? named.filter((scope) => AGENT.includes(scope)) : named",
    to: 'named',
    test: at('src/policy/policy.test.ts', 'scopes'),
  },
  {
    why: 'protected names are told apart by case',
    file: 'src/policy/paths.ts',
    from: '    .toLowerCase()',
    to: '    .trimStart()',
    test: at('src/policy/policy.test.ts', 'paths (68)'),
  },
  {
    why: 'the end of the longer of two secrets stays',
    file: 'src/policy/redact.ts',
    from: 'last.to = Math.max(last.to, span.to)',
    to: 'last.to = span.to',
    test: at('src/policy/redact.test.ts', 'where secrets overlap nothing of either stays'),
  },

  // patch
  {
    why: 'the first of several places is taken',
    file: 'src/patch/locate.ts',
    from: 'if (places.length === 1) return places[0] ?? null',
    to: 'if (places.length >= 1) return places[0] ?? null',
    test: at('src/patch/dialects.test.ts', 'two places whose result would be known, none stated'),
  },
  {
    why: 'the good half of a bad patch is written',
    file: 'src/patch/apply.ts',
    from: 'changes: ok ? changes : []',
    to: 'changes',
    test: at('src/patch/patch.test.ts', 'a patch of two files, one of which does not fit, changes neither'),
  },
  {
    why: 'a file without a final newline gains one',
    file: 'src/patch/apply.ts',
    from: "if (had === '') closed[closed.length - 1] = ''",
    to: "if (had === '') closed[closed.length - 1] = usual",
    test: at('src/patch/dialects.test.ts', 'no final newline stays so'),
  },
  {
    why: 'two insertions at one place are put in some order',
    file: 'src/patch/apply.ts',
    from: 'if (isEdit && (isInside || isTwin)) {',
    to: 'if (isEdit && isInside) {',
    test: at('src/patch/dialects.test.ts', 'two insertions at one place of the file before, by its blob'),
  },
  {
    why: 'the first reading of a block is taken although another fits too',
    file: 'src/patch/apply.ts',
    from: 'if (fitting.length <= 1) return',
    to: 'if (fitting.length <= 9) return',
    test: at('src/patch/dialects.test.ts', 'a heading underlined like a divider: two readings fit'),
  },
  {
    why: 'a removal is applied to its own result',
    file: 'src/patch/apply.ts',
    from: "patch.kind === 'rename' || identity() === 'before' ? [] : placedAgain(text, patch)",
    to: '[] as number[]',
    test: at('src/patch/dialects.test.ts', 'a removal that would fit its own result'),
  },
  {
    why: 'an anchor is a hint',
    file: 'src/patch/locate.ts',
    from: 'if (lines.length === 0) return anchor',
    to: 'if (lines.length === 0) continue',
    test: at('src/patch/dialects.test.ts', 'an anchor that is nowhere'),
  },

  // workspace
  {
    why: 'a folder that is a link is walked through',
    file: 'src/workspace/open-beneath.ts',
    from: 'last ? flags | O_NOFOLLOW : O_PATH | O_NOFOLLOW | O_DIRECTORY',
    to: 'last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY',
    test: at('src/workspace/files.test.ts', 'walk > hostile and odd paths'),
  },
  {
    why: 'a second name for a file outside is read',
    file: 'src/workspace/files.ts',
    from: 'if (found.nlink !== 1)',
    to: 'if (found.nlink < 1)',
    test: at('src/workspace/files.test.ts', 'openat2 > hostile and odd paths'),
  },
  {
    why: 'undo writes over what changed since',
    file: 'src/operations/runs/undo.ts',
    from: 'else if (isNow !== row.after_sha)',
    to: "else if (isNow === 'refused')",
    test: at('src/operations/runs/undo.test.ts', 'undo: it was removed since'),
  },
  {
    why: 'no copy is kept of what was there',
    file: 'src/operations/before-images.ts',
    from: 'if (!files.exists(path)) continue',
    to: 'if (files.exists(path)) continue',
    test: at('src/operations/runs/undo.test.ts', 'undo: nothing happened since'),
  },
  {
    why: "a run is put over the person's unfinished work",
    file: 'src/workspace/human-repository.ts',
    from: "['read-tree', '-m', '-u',",
    to: "['read-tree', '--reset', '-u',",
    test: at('test/e2e-more/human-repository.test.ts', 'vp complete refuses while a file it would change has unfinished work, and changes nothing'),
  },

  // sandbox
  {
    why: 'a command makes a program that runs with the rights of its owner',
    file: 'src/sandbox/seccomp.ts',
    from: 'const SET_ID = 0o6000',
    to: 'const SET_ID = 0o2000',
    test: at('src/sandbox/sandbox.test.ts', 'landlock > leaves no program with rights of its own: every call that takes a mode'),
  },
  {
    why: 'what the tests of a run fill the disk with is not counted',
    file: 'src/sandbox/limits.ts',
    from: "if (use.writtenBytes > limits.writtenBytes) return 'disk'",
    to: '',
    test: at('src/sandbox/sandbox.test.ts', 'landlock > ends > what many files take of the disk'),
  },
  {
    why: 'a repository that a command planted stays',
    file: 'src/operations/guarded.ts',
    from: "tell(path, top.guard, !isProduct && remove(root, path) ? 'removed' : 'left')",
    to: "tell(path, top.guard, !isProduct ? 'removed' : 'left')",
    test: at('test/attacks/guarded.test.ts', 'a command in a checkout > landlock > plants a repository'),
  },
  {
    why: 'packages of a checkout can be written over where they could be mounted',
    file: 'src/operations/execution.ts',
    from: 'protect: [...(guard?.protect ?? []), ...tree.foreignFolders]',
    to: 'protect: [...tree.foreignFolders]',
    test: at('test/attacks/guarded.test.ts', 'a command in a checkout > box > destroys secrets and packages that are there'),
  },
  {
    why: 'one file that cannot be given back holds up the others',
    file: 'src/operations/runs/undo.ts',
    from: 'await writeFiles(scene, changes, workspace)',
    to: 'await writeFiles(scene, changes)',
    test: at('src/operations/runs/undo.test.ts', 'undo gives back what may not be written, and one file that cannot be given back holds up no other'),
  },
  {
    why: 'what the probe does not tell counts as refused',
    file: 'src/sandbox/self-test.ts',
    from: "(report.attempts[attempt] ?? 'done') === 'done'",
    to: "report.attempts[attempt] === 'done'",
    test: at('src/sandbox/self-test.test.ts', 'self-test: an attempt was not told'),
  },
  {
    why: 'without a network namespace sockets are allowed',
    file: 'src/sandbox/landlock.ts',
    from: "inet: request.network === 'host'",
    to: 'inet: true',
    test: at('src/sandbox/sandbox.test.ts', 'landlock > reaches no server of the host'),
  },
  {
    why: 'the memory of all processes is not held',
    file: 'src/sandbox/limits.ts',
    from: 'residentBytes += stat.residentBytes',
    to: 'residentBytes = stat.residentBytes',
    test: at('src/sandbox/sandbox.test.ts', 'landlock > ends > memory of many'),
  },
  {
    why: 'a lane may load a library into every program',
    file: 'src/sandbox/environment.ts',
    from: 'const NEVER = /^(PATH|HOME|PWD|TMPDIR|LD_.*|',
    to: 'const NEVER = /^(PATH|HOME|PWD|TMPDIR|LD_|',
    test: at('src/sandbox/sandbox.test.ts', 'landlock > a request that is no request is refused'),
  },

  // models
  {
    why: 'what leaves is not what was masked',
    file: 'src/models/meter.ts',
    from: 'provider.answer(outbound, place',
    to: 'provider.answer(request, place',
    test: at('src/models/meter.test.ts', 'a secret is masked before the request is sent, and before it is kept'),
  },
  {
    why: 'the answer that may come is not held',
    file: 'src/models/meter.ts',
    from: 'tokens: tokens_in + request.max_tokens',
    to: 'tokens: tokens_in',
    test: at('src/models/meter.test.ts', 'the worst case is held: the whole answer that may come, at its price'),
  },
  {
    why: 'a cut stream costs nothing',
    file: 'src/models/meter.ts',
    from: "usage_source: 'worst_case' }",
    to: 'usage_source: null }',
    test: at('src/models/meter.test.ts', 'a call that broke off costs what the server said of it, else the worst case'),
  },
  {
    why: 'what broke off is paid from a hold that is spent already',
    file: 'src/models/meter.ts',
    from: 'if (spent) hold = null',
    to: '',
    test: at('src/models/meter.test.ts', 'a try that cost something gives its hold back, and the next one has to fit again'),
  },
  {
    why: 'a tool that nobody offered is called from text',
    file: 'src/models/dialects/calls.ts',
    from: 'tools.find((tool) => tool.name === bare)',
    to: 'tools.find((tool) => tool.name === bare) ?? tools[0]',
    test: at('src/models/dialects/dialects.test.ts', 'no call > a tool that is not offered (-)'),
  },
  {
    why: 'a file that was cut is written',
    file: 'src/models/dialects/shapes.ts',
    from: 'arguments: { malformed: text.slice(at, at + 2000) }',
    to: 'arguments: args',
    test: at('src/models/dialects/dialects.test.ts', 'a call > cut within a value: told, not made (aaif-goose/goose#7776)'),
  },
  {
    why: 'a call in thoughts is made',
    file: 'src/models/dialects/index.ts',
    from: 'if (this.thoughts() || this.fence()',
    to: 'if (this.fence()',
    test: at('src/models/dialects/dialects.test.ts', 'a call > a draft in the thoughts, then the call (PrimeIntellect-ai/renderers#80)'),
  },
  {
    why: 'a model may be filled to the brim',
    file: 'src/models/broker/select.ts',
    from: 'request > FULL * candidate.window_tokens',
    to: 'request > candidate.window_tokens',
    test: at('src/models/broker/select.test.ts', 'dropped for three quarters of the window'),
  },
  {
    why: 'a test that failed is assumed to have passed',
    file: 'src/models/broker/select.ts',
    from: 'if (candidate.tests[name] === false)',
    to: 'if (false)',
    test: at('src/models/broker/select.test.ts', 'dropped for a test that failed, whatever is assumed'),
  },
  {
    why: 'a model elsewhere is taken where nothing may leave',
    file: 'src/models/broker/select.ts',
    from: "asked.network === 'none' && !candidate.local",
    to: 'false',
    test: at('src/models/broker/select.test.ts', 'dropped for the network'),
  },
  {
    why: 'a call is made in a minute that is full',
    file: 'src/models/broker/windows.ts',
    from: 'used.tokens + next.tokens <= limits.max_tokens_per_min',
    to: 'used.tokens <= limits.max_tokens_per_min',
    test: at(
      'src/models/broker/windows.test.ts',
      'who waits as long as is said never uses more than the limit in any 60 s, and not waiting that long would have',
    ),
  },
  {
    why: 'a breaker never opens',
    file: 'src/models/broker/windows.ts',
    from: 'failures < FAILURES) return',
    to: 'true) return',
    test: at('src/models/broker/windows.test.ts', 'breaker: as properties'),
  },
  {
    why: 'the policy of a local tier reaches out',
    file: 'src/models/policy/load.ts',
    from: "one.network === 'none' && !isLocal(model)",
    to: 'false',
    test: at('src/models/policy/policy.test.ts', 'refused: a local tier with a model elsewhere'),
  },
  {
    why: 'a recording answers by place alone',
    file: 'src/models/recorded.ts',
    from: 'recorded.find((exchange) => exchange.request_sha === sha)',
    to: 'recorded.at(0)',
    test: at('src/models/recorded.test.ts', 'a place may hold several requests: each has its own answer'),
  },
  {
    why: "the server's Retry-After is not heard",
    file: 'src/models/retry.ts',
    from: "if (typeof hint === 'number') return",
    to: 'if (false) return',
    test: at('src/models/retry.test.ts', 'retry: a hint counts instead'),
  },
  {
    why: 'a name that begins as this machine does needs no consent',
    file: 'src/models/choose.ts',
    from: '{1,3}$/.test(name)',
    to: '{1,3}/.test(name)',
    test: at('src/models/choose.test.ts', 'http://127.0.0.1.example.org/v1 is not this machine'),
  },

  // agent
  {
    why: 'the same call in a changed world counts as no progress',
    file: 'src/agent/progress.ts',
    from: '`${world}\\n${call.name}',
    to: '`${call.name}',
    test: at('src/agent/loop.test.ts', 'stop: the same call again and again while the files change'),
  },
  {
    why: 'a reached budget is taken for a broken model',
    file: 'src/agent/loop.ts',
    from: "'budget.cap': 'budget',",
    to: '',
    test: at('src/agent/loop.test.ts', 'stop: budget.cap'),
  },
  {
    why: 'the beginning of a long conversation is dropped',
    file: 'src/agent/loop.ts',
    from: 'messages: context.messages, tools: specs',
    to: 'messages: context.messages.slice(-12), tools: specs',
    test: at('src/agent/loop.test.ts', 'a conversation of many turns only grows'),
  },

  // plms
  {
    why: 'guesses are summed as if they were independent',
    file: 'src/plms/embedded/estimate.ts',
    from: 'sum(tasks.filter((one) => one.observations < 3)',
    to: 'sum(tasks.filter((one) => one.observations < 0)',
    test: at('test/plms-vectors.test.ts', 'a plan without evidence is ± 50 %; with evidence it is narrower; a local model costs nothing'),
  },
  {
    why: 'a task may wait for itself',
    file: 'src/plms/embedded/plan.ts',
    from: 'if (cycle.length > 0) {',
    to: 'if (cycle.length > 1) {',
    test: at('src/plms/embedded/prd.test.ts', 'refused: a task that waits for itself'),
  },
  {
    why: 'what a group waits for, its tasks do not',
    file: 'src/plms/embedded/plan.ts',
    from: '[...task.deps, ...inherited(task.n)]',
    to: '[...task.deps]',
    test: at('src/plms/embedded/prd.test.ts', 'what a group waits for, its tasks wait for; what waits for a group waits for all of it'),
  },
  {
    why: 'a run starts before anybody approved it',
    file: 'src/plms/embedded/lifecycle.ts',
    from: "start: { from: ['approved',",
    to: "start: { from: ['pending_approval', 'approved',",
    test: at('src/plms/embedded/lifecycle.test.ts', 'pending_approval, start: refused'),
  },

  // pas
  {
    why: 'a task is released by the first of its dependencies',
    file: 'src/pas/embedded/reducer/fairness.ts',
    from: "task.card.deps.every((dep) => state.tasks[dep]?.status === 'succeeded')",
    to: "task.card.deps.length === 0 || task.card.deps.some((dep) => state.tasks[dep]?.status === 'succeeded')",
    test: at('src/pas/embedded/reducer/reduce.test.ts', 'a task waits for all of its dependencies'),
  },
  {
    why: 'the budget guard looks at what is spent, not where it leads',
    file: 'src/pas/embedded/reducer/budget.ts',
    from: '(projected / input.cap_usd - 1 > 0.25 || input.spend_usd > input.cap_usd)',
    to: 'input.spend_usd > input.cap_usd',
    test: at('src/pas/embedded/reducer/reduce.test.ts', 'the budget guard pauses once; a raised cap resumes; kill terminates'),
  },
  {
    why: 'a gate that is just met is failed',
    file: 'src/pas/embedded/reducer/gates.ts',
    from: 'return value >= rule.min',
    to: 'return value > rule.min',
    test: at('src/pas/embedded/reducer/vectors.test.ts', 'kpi-0: Threshold evaluation'),
  },
  {
    why: 'a full lane takes one more',
    file: 'src/pas/embedded/reducer/fairness.ts',
    from: '(load.lanes[task.card.lane] ?? 0) < laneCap',
    to: '(load.lanes[task.card.lane] ?? 0) <= laneCap',
    test: at('src/pas/embedded/reducer/fairness.test.ts', 'next: every lane is full'),
  },
  {
    why: 'the project with the largest share comes first',
    file: 'src/pas/embedded/reducer/fairness.ts',
    from: '0.1 * (1 - terms.fairshare_quota)',
    to: '0.1 * terms.fairshare_quota',
    test: at('src/pas/embedded/reducer/vectors.test.ts', 'score-0: Scheduler score'),
  },
  {
    why: 'the time in which nobody drove a run counts as its own',
    file: 'src/pas/embedded/drivers.ts',
    from: 'end - Math.max(driver.began_at, until)',
    to: 'end - Math.min(driver.began_at, until)',
    test: at('src/pas/embedded/drivers.test.ts', 'drivers: the time between two is none'),
  },
  {
    why: 'a run whose tests were never measured completes',
    file: 'src/operations/runs/verdict.ts',
    from: "verdict.pass && state.origin === 'do' ? unproved",
    to: "verdict.pass && state.origin !== 'do' ? unproved",
    test: at('test/e2e-more/unmeasured.test.ts', 'vp do: no test at all is never a pass'),
  },
  {
    why: 'what a test run leaves behind is committed',
    file: 'src/operations/run.ts',
    from: 'treeId === null ? [] : await tree.restore(treeId)',
    to: 'treeId === null ? [treeId] : []',
    test: at('test/e2e-more/traces.test.ts', 'a commit holds what the task wrote and ran, not what its tests left behind (the backend of this machine)'),
  },
  {
    why: 'a worker without its lease writes all the same',
    file: 'src/pas/embedded/attempt.ts',
    from: 'if (!(await ports.queue.settle(tx, lease))) return',
    to: 'await ports.queue.settle(tx, lease)',
    test: at('src/pas/embedded/drive.test.ts', 'a worker that was silent too long writes nothing, whatever it comes back with'),
  },
  {
    why: 'a worker that hangs keeps its task for ever',
    file: 'src/pas/embedded/engines/local.ts',
    from: 'const silent = (lease: LeaseRow) => lease.expires_at < now',
    to: 'const silent = (lease: LeaseRow) => lease.expires_at < 0',
    test: at('src/pas/embedded/engines/local.test.ts', 'lease: a worker that is silent too long loses it'),
  },
  {
    why: 'a deleted test is paid for by a new one anywhere',
    file: 'src/pas/embedded/kpi/compare.ts',
    from: '!before.has(id) && parents.has(parentOf(id)) &&',
    to: '!before.has(id) &&',
    test: at('src/pas/embedded/kpi/kpi.test.ts', 'compare: a green test is gone and one came elsewhere'),
  },

  // operations
  {
    why: 'the policy is asked before the scope',
    file: 'src/operations/invoke.ts',
    from: 'const STEPS = [validate, idempotency, scope, policy, approval, handle]',
    to: 'const STEPS = [validate, idempotency, policy, scope, approval, handle]',
    test: at('src/operations/wrapper/wrapper.test.ts', 'scope: whoever does not hold it is refused, before anything else is asked'),
  },
  {
    why: 'a used key answers another request',
    file: 'src/operations/wrapper/idempotency.ts',
    from: 'if (row.request !== requestOf(call))',
    to: "if (row.request === '')",
    test: at('src/operations/wrapper/wrapper.test.ts', 'idempotency: the same key with other parameters is refused, and the first answer stays'),
  },
  {
    why: 'a yes holds for what the same words mean later',
    file: 'src/operations/wrapper/approval.ts',
    from: 'operation.boundTo?.(params, scene) ?? null',
    to: 'null',
    test: at('src/operations/wrapper/wrapper.test.ts', 'approval: a yes holds for what the parameters meant'),
  },

  // surfaces
  {
    why: 'a run that stopped for its budget exits as a conflict',
    file: 'src/pas/embedded/drive.ts',
    from: "if (reason?.startsWith('budget')) return 6",
    to: '',
    test: at('src/pas/embedded/drive.test.ts', 'a run that is paused (budget_guard) exits 6'),
  },
  {
    why: 'a failed gate is ok in the document',
    file: 'src/surfaces/cli/envelope.ts',
    from: 'if (exit === 0) return { ok: true',
    to: 'if (exit === 0 || exit === 3) return { ok: true',
    test: at('src/surfaces/cli/envelope.test.ts', 'envelope: a result with a gate that failed'),
  },
  {
    why: 'escapes go into a pipe',
    file: 'src/surfaces/cli/style.ts',
    from: 'colour: tty && !colourless',
    to: 'colour: !colourless',
    test: at('src/surfaces/cli/style.test.ts', 'look: a pipe'),
  },
  {
    why: 'the longest message is too long',
    file: 'src/surfaces/rpc/framing.ts',
    from: 'if (size <= maxBytes) kept.push(bytes)',
    to: 'if (size < maxBytes) kept.push(bytes)',
    test: at('src/surfaces/rpc/framing.test.ts', 'a line of the longest length'),
  },
  {
    why: 'a deleted test goes through the gate of a real run',
    file: 'src/pas/embedded/kpi/judge.ts',
    from: 'const pass = failed.length === 0 && violations.length === 0',
    to: 'const pass = failed.length === 0',
    test: at('test/e2e/do.test.ts', 'vp do: the failing test deleted'),
  },

  // config
  {
    why: 'the file counts before the environment',
    file: 'src/config/config.ts',
    from: '...(pinned ? { sandbox: pinned } : {}) } as Config',
    to: '...(pinned && !user.sandbox ? { sandbox: pinned } : {}) } as Config',
    test: at('src/config/config.test.ts', 'config: the environment before the file'),
  },

  // the human's key
  {
    why: 'a file of the repository names what signs, by an include',
    file: 'src/workspace/signing.ts',
    from: 'if (!isWithin(root, origin)) set.set(',
    to: 'set.set(',
    test: at('test/e2e-more/signing.test.ts', 'signing: the user includes a file of the repository: signed'),
  },
  {
    why: 'a program of the repository signs',
    file: 'src/workspace/persons-programs.ts',
    from: '.find((file) => isProgram(file) && !isWithin(root, file))',
    to: '.find((file) => isProgram(file))',
    test: at('test/e2e-more/signing.test.ts', 'signing: the program of the user is a link into the repository: sign.unsupported'),
  },
  {
    why: 'whoever may look may push',
    file: 'src/operations/git-pr.ts',
    from: "if (!scene.caller.scopes.has('git.push'))",
    to: 'if (scene.caller.scopes.size === 0)',
    test: at('test/e2e-more/pull-request.test.ts', 'no agent opens a pull request, and no caller without git.push'),
  },
  {
    why: 'a token goes over clear text',
    file: 'src/operations/forges/forge.ts',
    from: "(url.protocol === 'http:' && isLoopback(url.host))",
    to: "url.protocol === 'http:'",
    test: at('test/e2e-more/pull-request.test.ts', 'an API in clear text is refused before a token is sent'),
  },
  {
    why: 'the log of a branch may be a link to a file of the person',
    file: 'src/workspace/git-directory.ts',
    from: "for (const top of ['', 'logs']) {",
    to: "for (const top of ['']) {",
    test: at('test/attacks/git.test.ts', 'the log of a branch is a link to a file of the person: workspace.unsupported'),
  },
  {
    why: 'objects of another repository are borrowed',
    file: 'src/workspace/git-directory.ts',
    from: 'if (stranger === undefined) return',
    to: 'if (lenders.length >= 0) return',
    test: at('test/attacks/git.test.ts', 'alternates name a repository of the person: workspace.unsupported'),
  },
  {
    why: 'a change that says it cannot run is let through by the hook',
    file: 'src/pas/embedded/kpi/judge.ts',
    from: 'if (value === null) return { ...shape, value: isFlag ? false : 0, pass: false,',
    to: 'if (value === null) return { ...shape, value: isFlag ? false : 0, pass: true,',
    test: at('src/pas/embedded/kpi/kpi.test.ts', 'pre_commit: a hook that could run before, and a change says that it cannot'),
  },
  {
    why: 'a ticket is invented',
    file: 'src/workspace/commit-convention.ts',
    from: "named ? `${named}: ` : ''",
    to: "named ? `${named}: ` : 'SHOP-1: '",
    test: at('src/workspace/commit-convention.test.ts', 'title: fix(cart): keep the items → Keep the items'),
  },
  // context
  {
    why: 'a pin is dropped by a compaction',
    file: 'src/agent/context/context.ts',
    from: 'const kept = [opening.goal, PROMPTS.compacted, ...pinWords(pins)]',
    to: 'const kept = [opening.goal, PROMPTS.compacted, ...pinWords(pins).slice(1)]',
    test: at('src/agent/context/context.test.ts', 'property: pins in every request, prefixes kept, limits held, bytes equal (seed 1)'),
  },
  {
    why: 'a run of some tests closes what it did not run',
    file: 'src/agent/context/pins.ts',
    from: 'if (isWhole(entry.call)) {',
    to: 'if (entry.turn > 0) {',
    test: at('src/agent/context/context.test.ts', 'pins: a run of some tests closes nothing that it did not run'),
  },
  {
    why: 'lines that a later reading shows are told twice',
    file: 'src/agent/context/pack.ts',
    from: 'if (outdated === null) pieces.push(trimmed(piece, entry, seen.shown))',
    to: 'if (outdated === null) pieces.push(piece)',
    test: at('src/agent/context/context.test.ts', 'pack: overlapping lines are told once'),
  },
  {
    why: 'a change is made beside a reading that stands before it',
    file: 'src/agent/calls.ts',
    from: 'if (last && READS.has(call.name) && last.every((one) => READS.has(one.name))) last.push(call)',
    to: 'if (last && last.every((one) => READS.has(one.name))) last.push(call)',
    test: at('src/agent/calls.test.ts', 'together: a change waits, and so does what comes after it'),
  },
  {
    why: 'what was read before a compaction counts as a circle after it',
    file: 'src/agent/progress.ts',
    from: 'forget: () => seen.clear(),',
    to: 'forget: () => undefined,',
    test: at(
      'src/agent/progress.test.ts',
      'progress: the same call a third time in the same world, but not in another, nor after the conversation was built anew',
    ),
  },
]

/** Patches as a model, or an attacker, writes them: what they hold, and what becomes of them. */
export const FILES = {
  'src/a.ts': 'export const one = 1\nexport const two = 2\nexport const three = 3\n',
  'src/b.py': 'def f():\n    return 1\n\n\ndef g():\n    return 1\n',
  'src/crlf.txt': 'one\r\ntwo\r\nthree\r\n',
  'src/no-newline.txt': 'one\ntwo',
  'docs/setext.md': 'Title\n=======\nbody\n',
  'docs/same.txt': 'foo();\nfoo();\nfoo();\n',
  'docs/dash.yml': 'steps:\n  - run: one\n-\nafter: this line\n last\n',
  'run.sh': '#!/bin/sh\necho one\n',
  'generated/out.ts': 'export const made = 1\n',
  '.vp/lanes/code-impl.yaml': 'lane: Code-Impl\nfile_globs: { allow: ["**"], deny: ["generated/**"] }\ncommands: { allow: [[npm, test]] }\n',
  '.env': 'A=1\n',
  '.gitmodules': '',
  'node_modules/d/d.js': 'module.exports = 1\n',
}

/** One line of a file becomes another, as git would say it. */
const edit = (path: string, from: string, to: string, at = 1) => `--- a/${path}\n+++ b/${path}\n@@ -${at} +${at} @@\n-${from}\n+${to}\n`
const make = (path: string, text = 'new', mode = '100644') =>
  `diff --git a/${path} b/${path}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${text}\n`
const remove = (path: string, text: string) =>
  `diff --git a/${path} b/${path}\ndeleted file mode 100644\n--- a/${path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-${text}\n`
const rename = (from: string, to: string) => `diff --git a/${from} b/${to}\nsimilarity index 100%\nrename from ${from}\nrename to ${to}\n`

type Honest = readonly [title: string, patch: string, path: string, content: string | null]
export const HONEST: readonly Honest[] = [
  ['one line', edit('src/a.ts', 'export const one = 1', 'export const one = 11'), 'src/a.ts', FILES['src/a.ts'].replace('= 1\n', '= 11\n')],
  ['a wrong line number', edit('src/a.ts', 'export const three = 3', 'export const three = 33', 900), 'src/a.ts', FILES['src/a.ts'].replace('= 3\n', '= 33\n')],
  [
    'no numbers at all',
    '--- src/a.ts\n+++ src/a.ts\n@@ @@\n-export const two = 2\n+export const two = 22\n',
    'src/a.ts',
    FILES['src/a.ts'].replace('= 2\n', '= 22\n'),
  ],
  [
    'within a fence and talk',
    `Here you are:\n\`\`\`diff\n${edit('src/a.ts', 'export const one = 1', 'export const uno = 1')}\`\`\`\nDone.\n`,
    'src/a.ts',
    FILES['src/a.ts'].replace('one', 'uno'),
  ],
  [
    'a search and replace block',
    'src/a.ts\n<<<<<<< SEARCH\nexport const two = 2\n=======\nexport const due = 2\n>>>>>>> REPLACE\n',
    'src/a.ts',
    FILES['src/a.ts'].replace('two', 'due'),
  ],
  [
    'the V4A form',
    '*** Begin Patch\n*** Update File: src/a.ts\n@@\n-export const two = 2\n+export const zwei = 2\n*** End Patch\n',
    'src/a.ts',
    FILES['src/a.ts'].replace('two', 'zwei'),
  ],
  [
    'two envelopes, both of them',
    '*** Begin Patch\n*** Update File: src/a.ts\n@@\n-export const one = 1\n+export const uno = 1\n*** End Patch\n*** Begin Patch\n*** Update File: src/a.ts\n@@\n-export const two = 2\n+export const due = 2\n*** End Patch\n',
    'src/a.ts',
    FILES['src/a.ts'].replace('one', 'uno').replace('two', 'due'),
  ],
  [
    'a path in a sentence',
    'In `src/a.ts`:\n```ts\n<<<<<<< SEARCH\nexport const two = 2\n=======\nexport const due = 2\n>>>>>>> REPLACE\n```\n',
    'src/a.ts',
    FILES['src/a.ts'].replace('two', 'due'),
  ],
  [
    'a removed dash below wrong counts',
    '--- a/docs/dash.yml\n+++ b/docs/dash.yml\n@@ -1,9 +1,9 @@\n steps:\n-  - run: one\n--\n after: this line\n',
    'docs/dash.yml',
    'steps:\nafter: this line\n last\n',
  ],
  ['CR and LF stay', edit('src/crlf.txt', 'two', 'zwei', 2), 'src/crlf.txt', 'one\r\nzwei\r\nthree\r\n'],
  [
    'no newline at the end stays',
    '--- a/src/no-newline.txt\n+++ b/src/no-newline.txt\n@@ -1,2 +1,2 @@\n-one\n+eins\n two\n\\ No newline at end of file\n',
    'src/no-newline.txt',
    'eins\ntwo',
  ],
  ['a new file', make('src/new.ts'), 'src/new.ts', 'new\n'],
  ['a new file far down', make('src/very/far/down/new.ts'), 'src/very/far/down/new.ts', 'new\n'],
  ['a new program', make('tools/new.sh', '#!/bin/sh', '100755'), 'tools/new.sh', '#!/bin/sh\n'],
  ['a name with a blank', make('docs/two words.md'), 'docs/two words.md', 'new\n'],
  ['a name in quotes and octal', '--- /dev/null\n+++ "b/docs/\\303\\274.md"\n@@ -0,0 +1 @@\n+new\n', 'docs/ü.md', 'new\n'],
  ['gone', remove('src/gone.txt', 'gone'), 'src/gone.txt', null],
  ['another name', rename('src/gone.txt', 'src/moved.txt'), 'src/moved.txt', 'gone\n'],
  ['the mode alone', 'diff --git a/src/gone.txt b/src/gone.txt\nold mode 100644\nnew mode 100755\n', 'src/gone.txt', 'gone\n'],
  ['.gitignore', make('.gitignore', 'dist'), '.gitignore', 'dist\n'],
  ['a workflow of the forge', make('.github/workflows/x.yml', 'on: push'), '.github/workflows/x.yml', 'on: push\n'],
  ['what looks like a header inside', make('docs/x.md', '--- a/../../etc/passwd'), 'docs/x.md', '--- a/../../etc/passwd\n'],
  [
    'the last of two alike, by its context',
    '--- a/src/b.py\n+++ b/src/b.py\n@@ -5,2 +5,2 @@\n def g():\n-    return 1\n+    return 2\n',
    'src/b.py',
    FILES['src/b.py'].replace(/1\n$/, '2\n'),
  ],
]

type Hostile = readonly [title: string, patch: string, codes: readonly string[]]
const PATH = ['path.invalid', 'path.denied', 'path.not_regular', 'patch.parse', 'patch.rejected']
const KIND = ['patch.unsupported', 'patch.parse']
const PLACE = ['patch.rejected', 'patch.ambiguous', 'patch.parse', 'patch.stale', 'path.not_found']
export const HOSTILE: readonly Hostile[] = [
  ['up', make('../made'), PATH],
  ['up in the middle', make('src/../../made'), PATH],
  ['absolute', '--- /dev/null\n+++ /tmp/vp-attack-made\n@@ -0,0 +1 @@\n+x\n', PATH],
  ['absolute, behind the prefix', '--- /dev/null\n+++ b//tmp/vp-attack-made\n@@ -0,0 +1 @@\n+x\n', PATH],
  ['up, in octal', '--- /dev/null\n+++ "b/\\056\\056/made"\n@@ -0,0 +1 @@\n+x\n', PATH],
  ['a NUL in the name', '--- /dev/null\n+++ "b/src/a.ts\\000.png"\n@@ -0,0 +1 @@\n+x\n', PATH],
  ['a line break in the name', '--- /dev/null\n+++ "b/src/a\\nb"\n@@ -0,0 +1 @@\n+x\n', PATH],
  [
    'the old name honest, the new one up',
    'diff --git a/src/gone.txt b/../gone.txt\nsimilarity index 100%\nrename from src/gone.txt\nrename to ../gone.txt\n',
    PATH,
  ],
  ['a rename from outside', rename('../canary', 'src/canary'), [...PATH, ...PLACE]],
  ['a rename from what may not be read', rename('.env', 'src/env.txt'), PATH],
  ['a rename onto what is there', rename('src/gone.txt', 'src/a.ts'), PLACE],
  [
    'headers that disagree',
    'diff --git a/src/a.ts b/src/a.ts\n--- a/src/a.ts\n+++ b/.git/config\n@@ -1 +1 @@\n-export const one = 1\n+x\n',
    [...PATH, ...PLACE],
  ],
  ['git metadata', make('.git/hooks/pre-commit', '#!/bin/sh', '100755'), PATH],
  ['git metadata in capitals', make('.GIT/config'), PATH],
  ['git metadata of a folder', make('vendor/.git/config'), PATH],
  ['git metadata by its short name', make('GIT~1/config'), PATH],
  ['git metadata with an unseen letter', make('.g\u200cit/config'), PATH],
  ['the policy', edit('.vp/lanes/code-impl.yaml', 'lane: Code-Impl', 'lane: X'), PATH],
  ['the policy, removed', 'diff --git a/.vp/lanes/code-impl.yaml b/.vp/lanes/code-impl.yaml\ndeleted file mode 100644\n', [...PATH, ...KIND]],
  ['an editor task', make('.vscode/tasks.json', '{}'), PATH],
  ['tools of another agent', make('.mcp.json', '{}'), PATH],
  ['submodules', make('.gitmodules', '[submodule "x"]'), PATH],
  ['a secret', edit('.env', 'A=1', 'A=2'), PATH],
  ['a package', edit('node_modules/d/d.js', 'module.exports = 1', 'module.exports = 2'), PATH],
  ['what the lane of the repository denies', edit('generated/out.ts', 'export const made = 1', 'export const made = 2'), PATH],
  ['through a folder that is a link', make('up/made'), PATH],
  ['a file that is a link', edit('link.txt', 'canary', 'x'), PATH],
  ['a file with a second name outside', edit('hard.txt', 'canary', 'x'), PATH],
  [
    'a link made by a patch',
    'diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n',
    KIND,
  ],
  ['a file turned into a link', 'diff --git a/src/a.ts b/src/a.ts\nold mode 100644\nnew mode 120000\n', KIND],
  [
    'a submodule made by a patch',
    `diff --git a/s b/s\nnew file mode 160000\n--- /dev/null\n+++ b/s\n@@ -0,0 +1 @@\n+Subproject commit ${'a'.repeat(40)}\n`,
    KIND,
  ],
  ['a set-uid mode', make('src/suid', 'x', '104755'), KIND],
  ['a mode open to all', make('src/open', 'x', '100777'), KIND],
  ['a binary patch', 'diff --git a/x.bin b/x.bin\nnew file mode 100644\nGIT binary patch\nliteral 1\nIcmZPo0000\n\n', KIND],
  ['a binary difference', 'diff --git a/x.bin b/x.bin\nBinary files a/x.bin and b/x.bin differ\n', KIND],
  ['a copy', 'diff --git a/src/a.ts b/src/c.ts\nsimilarity index 100%\ncopy from src/a.ts\ncopy to src/c.ts\n', KIND],
  ['an ed script', '1d\na\n!touch /tmp/vp-attack-made\n.\nw\nq\n', [...KIND, ...PLACE]],
  ['two places that fit', '--- a/src/b.py\n+++ b/src/b.py\n@@ @@\n-    return 1\n+    return 2\n', PLACE],
  ['a block with two dividers that fit', 'docs/setext.md\n<<<<<<< SEARCH\nTitle\n=======\nbody\n=======\nNew\n=======\nbody\n>>>>>>> REPLACE\n', PLACE],
  ['an anchor that is nowhere', '*** Begin Patch\n*** Update File: src/b.py\n@@ def h():\n-def g():\n+def k():\n*** End Patch\n', PLACE],
  ['an anchor below the text', '*** Begin Patch\n*** Update File: src/b.py\n@@ def g():\n-def f():\n+def k():\n*** End Patch\n', PLACE],
  ['what would be applied to its own result', '--- a/docs/same.txt\n+++ b/docs/same.txt\n@@ -2 +1,0 @@\n-foo();\n', PLACE],
  ['a diff and a block in one text', `${edit('src/a.ts', 'export const one = 1', 'x')}src/a.ts\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n`, PLACE],
  [
    'a line that stays, its blank lost, and a removal below it',
    '--- a/src/b.py\n+++ b/src/b.py\n@@ -1,6 +1,4 @@\n-def f():\n     return 1\n\n\ndef g():\n-    return 1\n',
    [...KIND, ...PLACE],
  ],
  ['bullets that may be removed lines', `${edit('docs/dash.yml', '  - run: one', '  - run: two', 2)}\n- last\n`, PLACE],
  ['a signature that may be a removed dash', '--- a/docs/dash.yml\n+++ b/docs/dash.yml\n@@ -1,2 +1 @@\n steps:\n-  - run: one\n--\n', PLACE],
  ['no place that fits', edit('src/a.ts', 'export const four = 4', 'x'), PLACE],
  ['one hunk fits, the other does not', `${edit('src/a.ts', 'export const one = 1', 'export const uno = 1')}@@ -3 +3 @@\n-nothing like it\n+x\n`, PLACE],
  ['one file honest, the other protected', edit('src/a.ts', 'export const one = 1', 'x') + make('.git/config'), PATH],
  ['one file honest, the other outside', edit('src/a.ts', 'export const one = 1', 'x') + make('../made'), PATH],
  ['an old file that is not there', edit('src/nowhere.ts', 'a', 'b'), PLACE],
  ['made where something is', make('src/a.ts'), PLACE],
  ['made below a file', make('src/a.ts/x'), [...PATH, ...PLACE]],
  ['a name of 256 bytes', make(`src/${'n'.repeat(256)}`), PATH],
  ['nothing', ' \n', KIND],
  ['talk alone', 'I would change src/a.ts so that it works.\n', KIND],
]

/** Every patch of the tables, for whoever wants more of their kind. */
export const PATCH_SEEDS: readonly string[] = [...HONEST, ...HOSTILE].map(([, patch]) => patch)

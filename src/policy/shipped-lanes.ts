/**
 * The seven lanes that come with vp, as values so that the bundle holds them. Each rule carries its own examples,
 * which the tests run. Source: contracts/policy.md section 3.
 */
import { LANE_NAMES, slugOf, type CommandRule, type Lane, type LaneLimits, type LaneName } from './lane.ts'

const SECRET_GLOBS = ['**/.env*', '**/secrets/**', '**/*.pem', '**/*.key']

type Row = readonly [id: string, argv: string, example: string, options?: Partial<Pick<CommandRule, 'effect' | 'isSetup' | 'notMatch'>>]

const GIT_READ: readonly Row[] = [
  ['git-status', 'git status *', 'git status --short'],
  ['git-diff', 'git diff *', 'git diff --stat HEAD'],
  ['git-log', 'git log *', 'git log --oneline -5'],
  ['git-show', 'git show *', 'git show HEAD'],
  ['git-branch', 'git branch --show-current', 'git branch --show-current', { notMatch: [['git', 'branch', 'new']] }],
  ['git-branch-list', 'git branch --list? -a?', 'git branch --list'],
  ['git-rev-parse', 'git rev-parse *', 'git rev-parse HEAD'],
  ['git-ls-files', 'git ls-files *', 'git ls-files src'],
  ['git-blame', 'git blame *', 'git blame src/a.ts'],
]
const GIT_WRITE: readonly Row[] = [
  ['git-add', 'git add *', 'git add src/a.ts'],
  ['git-commit', 'git commit -s? -m * -s?', 'git commit -m x', { notMatch: [['git', 'commit', '-m', 'x', '-F', 'y']] }],
]
const GIT_PUSH: readonly Row[] = [['git-push', 'git push *', 'git push origin main', { effect: 'ask' }]]

const CODE_IMPL: readonly Row[] = [
  ['pytest', 'pytest *', 'pytest -q tests/a'],
  ['python-pytest', 'python -m pytest *', 'python -m pytest -q'],
  ['python3-pytest', 'python3 -m pytest *', 'python3 -m pytest -q'],
  ['python-unittest', 'python -m unittest *', 'python -m unittest -v'],
  ['python3-unittest', 'python3 -m unittest *', 'python3 -m unittest discover'],
  ['python-file', 'python *.py *', 'python tools/x.py --dry', { notMatch: [['python', '-c', 'x']] }],
  ['python3-file', 'python3 *.py *', 'python3 tools/x.py'],
  ['ruff-check', 'ruff check *', 'ruff check src'],
  ['ruff-format', 'ruff format *', 'ruff format src'],
  ['black', 'black *', 'black src'],
  ['mypy', 'mypy *', 'mypy src'],
  ['pylint', 'pylint *', 'pylint src'],
  ['npm-ci', 'npm ci --ignore-scripts?', 'npm ci', { isSetup: true, notMatch: [['npm', 'install']] }],
  ['npm-test', 'npm test *', 'npm test -- --bail'],
  ['npm-t', 'npm t *', 'npm t'],
  ['npm-run', 'npm run *', 'npm run build'],
  ['npm-run-script', 'npm run-script *', 'npm run-script build'],
  ['pnpm-install', 'pnpm install --frozen-lockfile?', 'pnpm install --frozen-lockfile', { isSetup: true, notMatch: [['pnpm', 'install', 'x']] }],
  ['pnpm-run', 'pnpm run *', 'pnpm run build'],
  ['pnpm-test', 'pnpm test *', 'pnpm test'],
  ['yarn-install', 'yarn install --frozen-lockfile? --immutable?', 'yarn install --immutable', { isSetup: true }],
  ['yarn-run', 'yarn run *', 'yarn run build'],
  ['yarn-test', 'yarn test *', 'yarn test'],
  ['node', 'node *', 'node test/run.js', { notMatch: [['nodemon']] }],
  ['uv-sync', 'uv sync --frozen? --locked?', 'uv sync --frozen', { isSetup: true }],
  ['uv-run-pytest', 'uv run pytest *', 'uv run pytest -q'],
  ['uv-run-ruff', 'uv run ruff *', 'uv run ruff check'],
  ['uv-run-mypy', 'uv run mypy *', 'uv run mypy src'],
  ['uv-run-python', 'uv run python -m pytest *', 'uv run python -m pytest', { notMatch: [['uv', 'run', 'bash']] }],
  ['go-build', 'go build *', 'go build ./...'],
  ['go-test', 'go test *', 'go test ./...'],
  ['go-vet', 'go vet *', 'go vet ./...'],
  ['gofmt', 'gofmt *', 'gofmt -l .'],
  ['cargo-build', 'cargo build --locked *', 'cargo build --locked --release', { notMatch: [['cargo', 'build']] }],
  ['cargo-test', 'cargo test --locked *', 'cargo test --locked'],
  ['cargo-check', 'cargo check --locked *', 'cargo check --locked'],
  ['cargo-clippy', 'cargo clippy --locked *', 'cargo clippy --locked'],
  ['cargo-fmt', 'cargo fmt --check?', 'cargo fmt --check'],
  ['gradle-test', 'gradle test *', 'gradle test'],
  ['gradle-build', 'gradle build *', 'gradle build'],
  ['mvn-test', 'mvn -q? test *', 'mvn -q test'],
  ['make', 'make *', 'make check'],
]
const API_DESIGN: readonly Row[] = [
  ['openapi-generator', 'openapi-generator-cli *', 'openapi-generator-cli validate -i api.yaml'],
  ['buf-lint', 'buf lint *', 'buf lint'],
  ['buf-generate', 'buf generate *', 'buf generate'],
  ['protoc', 'protoc *', 'protoc --version'],
  ['ruff-check', 'ruff check *', 'ruff check'],
  ['ruff-format', 'ruff format *', 'ruff format'],
  ['pytest', 'pytest -q *', 'pytest -q'],
  ['make', 'make *', 'make api'],
]
const DATA_LOADER: readonly Row[] = [
  ['alembic-revision', 'alembic revision *', 'alembic revision -m x'],
  ['alembic-upgrade', 'alembic upgrade head', 'alembic upgrade head'],
  ['pytest-db', 'pytest -q tests/db', 'pytest -q tests/db'],
  ['pytest-db-part', 'pytest -q tests/db/*', 'pytest -q tests/db/test_a.py'],
  ['make', 'make *', 'make schema'],
]
const PSQL: readonly Row[] = [
  ['psql-file', 'psql -h localhost -U * -d * -f *.sql', 'psql -h localhost -U u -d d -f a.sql', { notMatch: [['psql', '-h', '10.1.2.3', '-U', 'u']] }],
]
const NARRATIVE: readonly Row[] = [
  ['markdownlint', 'markdownlint *', 'markdownlint docs'],
  ['readability', 'readability *', 'readability docs/a.md'],
  ['make-docs', 'make docs', 'make docs', { notMatch: [['make', 'all']] }],
]
const GRAPH_OPS: readonly Row[] = [
  ['tree-sitter', 'tree-sitter parse *', 'tree-sitter parse src/a.ts'],
  ['ctags', 'ctags -R .', 'ctags -R .'],
  ['graph-builder', 'graph-builder *', 'graph-builder src'],
]
const VECTOR_OPS: readonly Row[] = [
  ['index-refresh', 'rag-index refresh *', 'rag-index refresh'],
  ['index-query', 'rag-index query *', 'rag-index query x'],
  ['index-daemon', 'rag-index daemon', 'rag-index daemon'],
]

const BUILD_LIMITS: LaneLimits = { maxExecSeconds: 900, maxCpuPct: 80, maxMemMb: 8192, maxParallel: 2 }

export const SHIPPED_LANES: Readonly<Record<LaneName, Lane>> = {
  'Code-Impl': lane('Code-Impl', 'Write and test code', [...CODE_IMPL, ...GIT_READ, ...GIT_WRITE, ...GIT_PUSH], BUILD_LIMITS),
  'Code-API-Design': lane('Code-API-Design', 'Design interfaces', [...API_DESIGN, ...GIT_READ, ...GIT_WRITE, ...GIT_PUSH], { maxExecSeconds: 600 }),
  'Data-Schema': lane('Data-Schema', 'Schemas and migrations', [...PSQL, ...DATA_LOADER, ...GIT_READ, ...GIT_WRITE], {
    maxExecSeconds: 600,
  }),
  'Data-Loader': lane('Data-Loader', 'Load data', [...DATA_LOADER, ...GIT_READ, ...GIT_WRITE], { maxExecSeconds: 600 }),
  'Vector-Ops': lane('Vector-Ops', 'Keep the vector index', VECTOR_OPS, { maxExecSeconds: 300 }, false),
  'Graph-Ops': lane('Graph-Ops', 'Keep the code graph', GRAPH_OPS, { maxExecSeconds: 300 }, false),
  Narrative: lane('Narrative', 'Write documentation', [...NARRATIVE, ...GIT_READ, ...GIT_WRITE], {
    maxExecSeconds: 300,
  }),
}

export function shippedLane(name: LaneName): Lane {
  return SHIPPED_LANES[name]
}

export function allShippedLanes(): readonly Lane[] {
  return LANE_NAMES.map(shippedLane)
}

function lane(name: LaneName, description: string, rows: readonly Row[], limits: LaneLimits, isPatchOnly = true): Lane {
  const slug = slugOf(name)
  const allow = rows.map(([id, argv, example, options]): CommandRule => ({
    id: `${slug}/${id}`,
    argv: argv.split(' '),
    match: [example.split(' ')],
    ...options,
  }))
  return {
    name,
    slug,
    description,
    workspaceRoots: ['.'],
    fileGlobs: { allow: ['**'], deny: SECRET_GLOBS },
    commands: { allow, deny: [] },
    network: { outbound: false },
    limits,
    fsOps: { patchOnly: isPatchOnly, requireUnifiedDiff: isPatchOnly, backups: true },
  }
}

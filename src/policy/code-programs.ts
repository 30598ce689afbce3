/**
 * Programs whose arguments choose what runs, by name: those that run another program, those whose words are a language,
 * and options or verbs of others that take code. Tables only. Sources: each program's manual, GTFOBins.
 */
import { programs } from './program-name.ts'

/** Run the program that stands somewhere among their arguments. */
export const WRAPPERS: ReadonlySet<string> = programs(`
  env xargs timeout nice ionice time gtime multitime stdbuf unbuffer watch parallel sem script expect strace ltrace gdb chrt taskset
  flock caffeinate prlimit setarch linux32 linux64 uname26 i386 i486 i586 i686 x86_64 ppc ppc32 ppc64 sparc sparc64 arm choom
  numactl numad cpulimit softlimit chpst envdir setlock eatmydata faketime datefudge logsave run-parts run-one run-this-one
  fakeroot fakechroot proot bwrap firejail aa-exec ssh-agent dbus-run-session dbus-launch xvfb-run xinit startx rlwrap rlfe
  catchsegv valgrind perf rr heaptrack hyperfine entr watchexec nodemon chronic ifne mispipe lckdo grc colorize torsocks
  tsocks proxychains sshpass cross-env cross-env-shell dotenv dotenvx env-cmd direnv concurrently foreman honcho runit sg
  xterm uxterm gnome-terminal konsole x-terminal-emulator ld.so busctl scrot zsoelim memusage sotruss criu
`)

/** A word, or a command inside the program, is code: no option tells a use that is harmless. */
export const LANGUAGES: ReadonlySet<string> = programs(`
  awk gawk mawk nawk sed gsed ed red ex vi vim rvim gvim vimdiff nvim view rview pico emacs emacsclient nano joe jed mcedit micro kak
  hx less more most pg pager man info w3m lynx links elinks mail mailx mutt gdb gdbtui lldb radare2 r2 bpftrace stap sqlite3 mysql mariadb
  mongo mongosh redis-cli duckdb clickhouse-client tclsh wish m4 dc gs ghostscript tex latex pdftex pdflatex xetex xelatex luatex
  lualatex latexmk groff troff nroff pic irb pry ghci ipython jshell jjs jrunscript erl iex ocaml utop osascript sage maxima gp
  sbcl clisp ecl swipl gforth R gimp find tar cpio zip sort split tee ssh-keygen rake just task npx tox nox pre-commit
  fzf pee vidir vipe ansible ansible-playbook puppet facter terraform tofu cowsay cowthink nmap tcpdump capsh crash visidata
  run-mailcap see xdg-open open sbt
`)

/** Interpreters of files: an option of theirs that takes code instead. Looked for up to the script. */
export const EVAL_FLAGS: Readonly<Record<string, RegExp>> = {
  node: /^(?:-[a-z]{0,2}[epi][a-z]{0,2}|--eval(?:=.*)?|--print(?:=.*)?|--interactive|--eval-.*|-)$/s,
  python: /^(?:-[A-Za-bd-z]*c.*|-)$/s,
  ruby: /^(?:-[A-Za-z]*[erx].*|-)$/s,
  perl: /^(?:-[A-Za-z0]*[eEMmdx].*|-)$/s,
  raku: /^(?:-[A-Za-z]*e.*|-)$/s,
  php: /^(?:-[rBREFcdz].*|--(?:ru|pr|def|php-ini|zend).*|-)$/s,
  bun: /^(?:-e|-p|-r|--preload.*|--require.*|--import.*|--eval(?:=.*)?|--print(?:=.*)?|-)$/s,
  lua: /^(?:-[eilbj].*|-)$/s,
  rscript: /^-e$/,
  tsx: /^(?:-e|-p|-r|--require.*|--import.*|--loader.*|--eval(?:=.*)?|--print(?:=.*)?|-)$/s,
  'ts-node': /^(?:-[a-z]*[epr].*|-[CR].*|--(?:require|compiler|import).*|--eval(?:=.*)?|--print(?:=.*)?|-)$/s,
  coffee: /^(?:-[a-z]*[er].*|--eval|--require|-)$/s,
  qjs: /^(?:-[eI].*|--eval|--include|-)$/s,
  julia: /^(?:-[eEL].*|--eval(?:=.*)?|--print(?:=.*)?|--load(?:=.*)?|-)$/s,
  groovy: /^-e.*$/s,
  elixir: /^(?:-[er]|--eval|--rpc-eval|-)$/,
  guile: /^(?:-[celx].*|--listen.*|--use-srfi.*|-)$/s,
  racket: /^(?:-[a-zA-Z]*[efrtlpk].*|--eval|--load|--require.*|-)$/s,
  octave: /^(?:--(?:ev|exe|p).*|-p|-)$/s,
  gnuplot: /^(?:-[ec].*|-)$/s,
  runghc: /^-.*[fe].*$/s,
}

const COMPILER = /^(?:-wrapper.*|-B.*|--?specs.*|-f(?:pass-)?plugin.*|-Xclang|-load|-Wl,.*plugin.*|-fuse-ld=.*\/.*|--ld-path.*)$/s
const EXEC_VERB = /^exec$/
const RUN_VERB = /^(?:exec|run|x)$/

const each = (names: string, pattern: RegExp): Record<string, RegExp> => Object.fromEntries([...programs(names)].map((name) => [name, pattern]))

/** Other programs: an option or a verb, wherever it stands, that takes code or names what is run. */
export const CODE_ARGUMENTS: Readonly<Record<string, RegExp>> = {
  ...each('gcc g++ cc c++ c89 c99 clang clang++ gfortran gdc', COMPILER),
  ...each('cabal stack dune opam mix conda mamba micromamba pixi mise rtx', RUN_VERB),
  ...each('ld ar nm strip', /^--?plugin/),
  ...each('asdf rbenv pyenv nodenv goenv composer lerna', EXEC_VERB),
  cmake: /^(?:-E|-P.*|-C.*|--toolchain.*|(?:-D|CMAKE_).*(?:COMPILER|LAUNCHER|LINKER|RULE|TOOLCHAIN|PROGRAM|COMMAND|INCLUDE|MODULE_PATH).*)$/s,
  ctest: /^(?:-S.*|-SP.*|--script.*|--build-and-test|--test-command)$/s,
  hg: /^(?:--c(?:o|w).*|--debugger|--profile|-R.*|--rep.*|serve|extdiff|bisect)$/s,
  svn: /^(?:--(?:config-|editor-cmd|diff|merge).*)$/s,
  jj: /^(?:--config.*|util|--tool.*)$/s,
  rustc: /^(?:-C.*|--codegen.*|-Z.*|-l.*)$/s,
  java: /^(?:-javaagent.*|-agent(?:lib|path).*|-XX:.*On.*|-Xrun.*|--module-path.*|-p|-D.*|@.*|-)$/s,
  tcc: /^(?:-run.*|-B.*|-)$/s,
  ghc: /^(?:-e.*|-pgm.*|-F)$/s,
  swift: /^(?:-e|-load.*|-)$/s,
  scala: /^(?:-e|-i|-execute|-)$/,
  kotlin: /^(?:-e|-expression|-)$/,
  clojure: /^(?:-[eiMXT].*|--eval|--init|-)$/s,
  javac: /^(?:-J.*|--?processor.*|-Xplugin.*)$/s,
  openssl: /^(?:-engine|-provider.*|-config|engine)$/s,
  pandoc: /^(?:-[FLd].*|--(?:fil|lua|pdf-e|def|data).*)$/s,
  fd: /^(?:-[a-zA-Z]*[xX].*|--exec.*)$/s,
  ag: /^--pager/,
  ack: /^--(?:pager|ackrc)/,
  bat: /^--(?:pager|config)/,
  patch: /^(?:-e|--ed)$/,
  install: /^--strip-p/,
  sdiff: /^--diff-p/,
  diff: /^--diff-p/,
  xmllint: /^--sh/,
  bazel: /^(?:run|--run_under.*|--.*_path=.*)$/s,
  dotnet: /^(?:exec|run|fsi|tool)$/,
  dart: /^(?:run|pub)$/,
  crystal: /^(?:eval|run|play)$/,
  nim: /^(?:e|r|--eval.*)$/s,
  lein: /^(?:run|eval|repl|exec|update-in)$/,
}

/** Of these only the verbs are known to keep to the project's own files: any other first word is code, or a file of it. */
export const PLAIN_VERBS: Readonly<Record<string, ReadonlySet<string>>> = {
  deno: programs('test check fmt lint doc info task types coverage --version'),
}

/** Modules of Python that run code from their arguments, or ask for it. */
export const CODE_MODULES: ReadonlySet<string> = programs('timeit pdb code trace profile cprofile runpy idlelib doctest bdb asyncio')

/**
 * Tool calls as text. Each row names the public thread that reports it, with our tools in the place of theirs; a row without
 * one is a variant of our own. What is no call stands below, and at length in `test/fuzz/dialects.test.ts`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AGENT_TOOLS } from '../../agent/tools.ts'
import { canonicalJson } from '../../core/json.ts'
import { callsInText } from './index.ts'

/** Each call as `name {arguments}`. */
const seen = (text: string, isCut = false): string[] =>
  callsInText(text, AGENT_TOOLS, isCut).calls.map((call) => `${call.name} ${canonicalJson(call.arguments)}`)

const READ = 'read {"path":"src/a.ts"}'
const TEST = 'test {}'
const json = (name: string, args: object, key = 'arguments') => JSON.stringify({ name, [key]: args })
const A = json('read', { path: 'src/a.ts' })
const xml = (inside: string, name = 'read') => `<function=${name}>\n${inside}</function>`
const parameter = (key: string, value: string) => `<parameter=${key}>\n${value}\n</parameter>\n`
const PATH = parameter('path', 'src/a.ts')

const CALLS: readonly (readonly [source: string, what: string, text: string, want: readonly string[], words?: string])[] = [
  // bare JSON
  ['ollama/ollama#12174', 'bare JSON of qwen2.5-coder', A, [READ], ''],
  ['ollama/ollama#11185', 'bare JSON of qwen3:32b, spaced', '{"name": "read", "arguments": {"path": "src/a.ts"}}', [READ]],
  ['ollama/ollama-vscode#6', 'over several lines', '{\n"name": "read",\n"arguments": {\n"path": "src/a.ts"\n}\n}', [READ]],
  ['mark3labs/mcphost#12', 'bare JSON of vLLM’s qwen2.5-coder, between blanks', `\n\n  ${A}   \n`, [READ]],
  [
    'cline/cline#10843',
    'a file written by bare JSON',
    json('write', { path: 'a.md', content: '# a\n```js\nx\n```\n' }),
    ['write {"content":"# a\\n```js\\nx\\n```\\n","path":"a.md"}'],
  ],
  [
    'sgomez/ollama-ai-provider#11',
    'two objects, one after the other',
    `{\n  "name": "read",\n  "arguments": { "path": "src/a.ts" }\n} {\n  "name": "test",\n  "arguments": {}\n}`,
    [READ, TEST],
  ],
  [
    'ggml-org/llama.cpp#20260',
    'three objects with semicolons, under parameters',
    `; ${json('read', { path: 'src/a.ts' }, 'parameters')}; ${json('test', {}, 'parameters')}; ${json('read', { path: 'b' }, 'parameters')}`,
    [READ, TEST, 'read {"path":"b"}'],
  ],
  ['jundot/omlx#1153', 'Llama’s parameters', json('read', { path: 'src/a.ts' }, 'parameters'), [READ]],
  ['vllm-project/vllm#46863', 'type, name, parameters', '{"type": "function", "name": "read", "parameters": {"path": "src/a.ts"}}', [READ]],
  [
    'vllm-project/vllm#11786',
    'the function within, the last brace missing',
    '{"type": "function", "function": {"name": "read", "parameters": {"path": "src/a.ts"}}',
    [READ],
  ],
  [
    'vllm-project/vllm#19024',
    'JSON, then words',
    '{"type": "function", "name": "test", "parameters": {}} \n\nWould you like to know more?',
    [TEST],
    'Would you like to know more?',
  ],
  [
    'ggml-org/llama.cpp#15186',
    'a message of calls after thoughts (GLM)',
    `\n<think>Good, now the file.</think>\n{\n  "tool_calls": [\n    {"name": "read", "arguments": {"path": "src/a.ts"}, "id": "RjKv"}\n  ],\n  "content": "I read."\n}`,
    [READ],
    '',
  ],
  ['-', 'words, then JSON on a line of its own', `I will look at the file.\n\n${A}`, [READ], 'I will look at the file.'],
  ['ollama/ollama#12413', 'arguments as a string of JSON', json('read', JSON.stringify({ path: 'src/a.ts' }) as unknown as object), [READ]],
  ['openclaw/openclaw#57455', 'a string of JSON that is none', json('read', 'src/a.ts' as unknown as object), ['read {"malformed":"src/a.ts"}']],
  ['huggingface/smolagents#1003', 'a string of JSON under parameters', json('read', '{"path": "src/a.ts"}' as unknown as object, 'parameters'), [READ]],
  [
    'NousResearch/hermes-agent#12093',
    'Python’s quotes',
    "{'name': 'read', 'arguments': {'path': 'src/a.ts', 'from': None}}",
    ['read {"from":null,"path":"src/a.ts"}'],
  ],
  [
    'vllm-project/vllm#20028',
    'single quotes around a double one',
    `{'name': 'search', 'arguments': {'query': 'say "hi"'}}`,
    ['search {"query":"say \\"hi\\""}'],
  ],
  [
    'langroid/langroid#569',
    'line ends in a string that nobody escaped',
    '{"name": "write", "arguments": {"path": "a.py", "content": "def f():\n\treturn 1\n"}}',
    ['write {"content":"def f():\\n\\treturn 1\\n","path":"a.py"}'],
  ],
  [
    'NousResearch/hermes-agent#12093',
    'an apostrophe, a tab and a trailing comma',
    '{"name": "submit", "arguments": {"title": "fix: don\'t", "summary": "a\tb",}}',
    ['submit {"summary":"a\\tb","title":"fix: don\'t"}'],
  ],
  [
    'ggml-org/llama.cpp#13825',
    'quotes in a string that nobody escaped',
    '{"name": "write", "arguments": {"path": "a.py", "content": "print("hello")"}}',
    ['write {"content":"print(\\"hello\\")","path":"a.py"}'],
  ],
  [
    'vllm-project/vllm#22975',
    'an escape that JSON does not know',
    '{"name": "search", "arguments": {"query": "class Base\\("}}',
    ['search {"query":"class Base\\\\("}'],
  ],
  ['-', 'a trailing comma and bare keys', '{name: "read", arguments: {path: "src/a.ts",},}', [READ]],
  [
    '-',
    'triple quotes',
    '{"name": "write", "arguments": {"path": "a", "content": """one "two"\nthree"""}}',
    ['write {"content":"one \\"two\\"\\nthree","path":"a"}'],
  ],
  ['-', 'backticks', '{"name": "write", "arguments": {"path": "a", "content": `one "two"`}}', ['write {"content":"one \\"two\\"","path":"a"}']],
  ['-', 'tool and args', '{"tool": "read", "args": {"path": "src/a.ts"}}', [READ]],
  ['-', 'function and parameters', '{"function": "read", "parameters": {"path": "src/a.ts"}}', [READ]],

  // fenced
  ['vllm-project/vllm#32926', 'a fence of JSON, as qwen2.5-coder does it', `\`\`\`json\n${A}\n\`\`\``, [READ], ''],
  [
    'aaif-goose/goose#2926',
    'a fence between words',
    `Here's how you can do it:\n\n\`\`\`json\n${A}\n\`\`\`\n\nThis will show the file.`,
    [READ],
    "Here's how you can do it:\n\nThis will show the file.",
  ],
  [
    '-',
    'a fence of a file that has fences',
    `\`\`\`json\n${json('write', { path: 'a.md', content: '```\nx\n```' })}\n\`\`\``,
    ['write {"content":"```\\nx\\n```","path":"a.md"}'],
  ],
  ['-', 'a fence without a language', `\`\`\`\n${A}\n\`\`\``, [READ]],
  ['-', 'a fence that is never closed', `\`\`\`json\n${A}\n`, [READ]],
  ['-', 'a fence of a list', `\`\`\`json\n[${A}, ${json('test', {})}]\n\`\`\``, [READ, TEST]],
  ['-', 'a fence of a tag', `\`\`\`xml\n<tool_call>\n${A}\n</tool_call>\n\`\`\``, [READ]],
  ['-', 'Gemma’s fence', '```tool_code\nread(path="src/a.ts")\n```', [READ]],
  ['-', 'Gemma’s fence, printed', '```tool_code\nprint(default_api.read(path="src/a.ts"))\n```', [READ]],

  // hermes
  ['anomalyco/opencode#1406', 'a tag of JSON', `<tool_call>${A}</tool_call>`, [READ], ''],
  ['QwenLM/Qwen3-VL#1674', 'on lines of its own', `<tool_call>\n${A}\n</tool_call>`, [READ]],
  ['aaif-goose/goose#3748', 'words beside a tag', `I look. <tool_call>\n${A}\n</tool_call>`, [READ], 'I look.'],
  ['ggml-org/llama.cpp#15639', 'a line end before the tag', `\n<tool_call>\n${A}\n</tool_call>`, [READ]],
  [
    'vllm-project/vllm#45167',
    'a closing tag within a string',
    `<tool_call>\n${json('write', { path: 'a', content: 'ends with </tool_call> here' })}\n</tool_call>`,
    ['write {"content":"ends with </tool_call> here","path":"a"}'],
  ],
  ['vllm-project/vllm#32152', 'the last brace is missing', `<tool_call>\n${A.slice(0, -1)}\n</tool_call>`, [READ]],
  [
    'vllm-project/vllm#21544',
    'braces in a command',
    `<tool_call>\n${json('run', { argv: ['mkdir', '-p', 'test/{test1,test2'] })}\n</tool_call>`,
    ['run {"argv":["mkdir","-p","test/{test1,test2"]}'],
  ],
  ['vllm-project/vllm#33083', 'qwen2.5-coder’s tools', `<tools>\n${A}\n</tools>`, [READ]],
  ['vllm-project/vllm#32931', 'a list within tools', `<tools>\n[${A}, ${json('test', {})}]\n</tools>`, [READ, TEST]],
  ['lmstudio-ai/lmstudio-bug-tracker#827', 'thoughts, then a tag', `<think>\nThe file, first.\n</think>\n\n<tool_call>\n${A}\n</tool_call>`, [READ], ''],
  [
    'PrimeIntellect-ai/renderers#80',
    'a draft in the thoughts, then the call',
    `<think>\n<tool_call>\n${json('test', {})}\n</tool_call>\n</think>\n<tool_call>\n${A}\n</tool_call>`,
    [READ],
  ],
  ['-', 'thoughts whose beginning the template wrote', `The file, first.\n</think>\n\n<tool_call>\n${A}\n</tool_call>`, [READ]],
  ['-', 'several tags', `<tool_call>\n${A}\n</tool_call>\n<tool_call>\n${json('test', {})}\n</tool_call>`, [READ, TEST]],
  ['-', 'a tag that is never closed', `<tool_call>\n${A}`, [READ]],
  ['-', 'a tag of a name alone', '<tool_call>{"name": "test"}</tool_call>', [TEST]],

  // Qwen3-Coder's
  ['vllm-project/vllm#22975', 'whole, after words', `Let me read.\n\n<tool_call>\n${xml(PATH)}\n</tool_call>`, [READ], 'Let me read.'],
  ['ollama/ollama#16686', 'without its opening tag', `I'll read.\n\n${xml(PATH)}\n</tool_call>`, [READ], "I'll read."],
  ['ollama/ollama#17353', 'without any tag around', xml(PATH), [READ]],
  [
    'aaif-goose/goose#6883',
    'values on the line of their tags',
    'I create it.\n\n<function=write>\n<parameter=path>/tmp/a</parameter>\n<parameter=content>hello</parameter>\n</function>\n</tool_call>',
    ['write {"content":"hello","path":"/tmp/a"}'],
  ],
  ['ollama/ollama#12357', 'an ampersand', xml(parameter('query', 'pwd && ls -la'), 'search'), ['search {"query":"pwd && ls -la"}']],
  ['ollama/ollama#12380', 'an angle bracket', xml(parameter('query', 'a < b'), 'search'), ['search {"query":"a < b"}']],
  [
    'ollama/ollama#17276',
    'a parameter that the function closes',
    `<tool_call>\n<function=read>\n<parameter=path>\nsrc/a.ts\n</function>\n</tool_call>`,
    [READ],
  ],
  [
    'vllm-project/vllm#57699',
    'the last of two that the function closes',
    `<tool_call>\n<function=write>\n${PATH}<parameter=content>\n{"a": true}\n</function>\n</tool_call>`,
    ['write {"content":"{\\"a\\": true}","path":"src/a.ts"}'],
  ],
  [
    'ollama/ollama#17914',
    'a parameter that the next one closes',
    '<function=write>\n<parameter=path>\na.md\n<parameter=content>\nx\n</parameter>\n</function>',
    ['write {"content":"x","path":"a.md"}'],
  ],
  ['ollama/ollama#14834', 'the end is missing after the parameters', `<tool_call>\n<function=read>\n${PATH}`, [READ]],
  [
    'aaif-goose/goose#7776',
    'cut within a value: told, not made',
    '<tool_call>\n<function=write>\n<parameter=path>\na.cs\n</parameter>\n<parameter=content>\nusing System;\n',
    ['write {"malformed":"<function=write>\\n<parameter=path>\\na.cs\\n</parameter>\\n<parameter=content>\\nusing System;\\n"}'],
  ],
  [
    'raullenchai/Rapid-MLX#1515',
    'a closing tag within a value',
    xml(`${PATH}${parameter('content', 'ends with </parameter> here, or </tool_call> there')}`, 'write'),
    ['write {"content":"ends with </parameter> here, or </tool_call> there","path":"src/a.ts"}'],
  ],
  [
    'ollama/ollama#18563',
    'a long file with tags of its own',
    xml(`${PATH}${parameter('content', '<div>\n<function>\n</div>\n'.repeat(50))}`, 'write'),
    [`write ${canonicalJson({ content: '<div>\n<function>\n</div>\n'.repeat(50), path: 'src/a.ts' })}`],
  ],
  ['PrimeIntellect-ai/renderers#52', 'a number, as the schema says', xml(`${PATH}${parameter('from', '12')}`), ['read {"from":12,"path":"src/a.ts"}']],
  ['vllm-project/vllm#38996', 'None for what is not given', xml(`${PATH}${parameter('from', 'None')}`), [READ]],
  ['vllm-project/vllm#43238', 'a list in JSON', xml(parameter('argv', '["npm", "test"]'), 'run'), ['run {"argv":["npm","test"]}']],
  ['waybarrios/vllm-mlx#63', 'a list in Python', xml(parameter('argv', "['npm', 'test']"), 'run'), ['run {"argv":["npm","test"]}']],
  [
    'ml-explore/mlx-lm#1310',
    'a value that is not of its type comes as it is',
    xml(`${PATH}${parameter('from', '2026-01-15')}`),
    ['read {"from":"2026-01-15","path":"src/a.ts"}'],
  ],
  ['pwilkin/llama.cpp#9', 'several', `<tool_call>\n${xml(PATH)}\n</tool_call>\n<tool_call>\n${xml('', 'test')}\n</tool_call>`, [READ, TEST]],
  [
    'ggml-org/llama.cpp#24644',
    'the content before the path',
    xml(`${parameter('content', '{\n  "a": 1\n}\n')}${PATH}`, 'write'),
    ['write {"content":"{\\n  \\"a\\": 1\\n}\\n","path":"src/a.ts"}'],
  ],
  ['raullenchai/Rapid-MLX#703', 'JSON within the function', '<function=read>{"path": "src/a.ts"}</function>', [READ]],
  [
    'continuedev/continue#13057',
    'a value that nothing closes: told, not made',
    '<function=write>\n<parameter=path> test.txt\n<parameter=content> hello',
    ['write {"malformed":"<function=write>\\n<parameter=path> test.txt\\n<parameter=content> hello"}'],
  ],
  ['-', 'names in quotes', '<function name="read">\n<parameter name="path">src/a.ts</parameter>\n</function>', [READ]],
  ['-', 'invoke', '<function_calls>\n<invoke name="read">\n<parameter name="path">src/a.ts</parameter>\n</invoke>\n</function_calls>', [READ]],

  // Python's
  ['vllm-project/vllm#9991', 'a list of Llama 3.2', '[read(path="src/a.ts"), test()]', [READ, TEST]],
  ['vllm-project/vllm#22917', 'after words', 'To find it I read.\n\n[read(path="src/a.ts")]', [READ], 'To find it I read.'],
  ['vllm-project/vllm#30722', 'the bracket at its end is missing, lists within', '[run(argv=["npm", "test"])', ['run {"argv":["npm","test"]}']],
  ['lmstudio-ai/lmstudio-bug-tracker#1979', 'Liquid’s', '<|tool_call_start|>[read(path="src/a.ts")]<|tool_call_end|>', [READ]],
  [
    'esokullu/webbrain#271',
    'Python’s literals',
    "<|tool_call_start|>[read(path='src/a.ts', from=None, to=3)]<|tool_call_end|>",
    ['read {"from":null,"path":"src/a.ts","to":3}'],
  ],
  ['waybarrios/vllm-mlx#15', 'Calling tool', '[Calling tool: read({"path": "src/a.ts"})]', [READ]],

  // other marks
  ['vllm-project/vllm#16214', 'Llama 4’s python_start', `<|python_start|>${json('read', { path: 'src/a.ts' }, 'parameters')}<|python_end|>`, [READ], ''],
  ['raullenchai/Rapid-MLX#703', 'Llama 3.1’s python_tag', `<|python_tag|>${json('read', { path: 'src/a.ts' }, 'parameters')}<|eom_id|>`, [READ], ''],
  ['vllm-project/vllm#14682', 'Phi’s functools', `functools[${A}]`, [READ]],
  ['vllm-project/vllm#14682', 'Phi’s tool_calls', `<|tool_calls|>[${A}]<|/tool_calls|>`, [READ]],
  ['ml-explore/mlx-lm#1374', 'Mistral’s list', `[TOOL_CALLS] [${A}]`, [READ]],
  ['ml-explore/mlx-lm#1374', 'Devstral’s ARGS', '[TOOL_CALLS]read[ARGS]{"path": "src/a.ts"}', [READ]],
  ['vllm-project/vllm#30651', 'a name and its arguments', '[TOOL_CALLS]write{"path": "a.txt", "content": "b"}', ['write {"content":"b","path":"a.txt"}']],
  ['vllm-project/vllm#11097', 'two names', '[TOOL_CALLS]read{"path": "src/a.ts"}[TOOL_CALLS]test{}', [READ, TEST]],
  ['vllm-project/vllm#30724', 'a brace in the words before', `It has { in it.\n[TOOL_CALLS][${A}]`, [READ], 'It has { in it.'],
  [
    'lmstudio-ai/lmstudio-bug-tracker#1177',
    'MiniMax’s TOOL_CALL',
    '[TOOL_CALL] { "tool": "write", "args": { "path": "a.html", "content": "<html>" } } [/TOOL_CALL]',
    ['write {"content":"<html>","path":"a.html"}'],
  ],
  [
    'ggml-org/llama.cpp#15904',
    'GLM’s keys and values',
    '<tool_call>read\n<arg_key>path</arg_key>\n<arg_value>src/a.ts</arg_value>\n<arg_key>to</arg_key>\n<arg_value>4</arg_value>\n</tool_call>',
    ['read {"path":"src/a.ts","to":4}'],
  ],
  ['ml-explore/mlx-lm#792', 'GLM, a name and JSON', '<tool_call>read {"path": "src/a.ts"}</tool_call>', [READ]],
  [
    'lmstudio-ai/lmstudio-bug-tracker#942',
    'gpt-oss’s channel',
    '<|start|>assistant<|channel|>commentary to=functions.read<|constrain|>json<|message|>{"path":"src/a.ts"}',
    [READ],
  ],
  // between the special tokens of a template that the server does not know
  [
    'vllm-project/vllm#30238',
    'Kimi’s section',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{"path": "src/a.ts"}<|tool_call_end|><|tool_calls_section_end|>',
    [READ],
    '',
  ],
  [
    'ggml-org/llama.cpp#17376',
    'Kimi’s section in the singular, two calls after words',
    'I look.\n<|tool_call_section_begin|>\n<|tool_call_begin|>functions.read:0\n<|tool_call_argument_begin|>{"path": "src/a.ts"}<|tool_call_end|>\n<|tool_call_begin|>functions.test:1<|tool_call_argument_begin|>{}<|tool_call_end|>\n<|tool_call_section_end|>',
    [READ, TEST],
    'I look.',
  ],
  [
    'vllm-project/vllm#44137',
    'Kimi’s begin within a value',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{"query": "<|tool_call_begin|>"}<|tool_call_end|><|tool_calls_section_end|>',
    ['search {"query":"<|tool_call_begin|>"}'],
  ],
  [
    'google/adk-python#5654',
    'DeepSeek V3’s tokens around a fence',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{"path":"src/a.ts"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    [READ],
    '',
  ],
  [
    'vllm-project/vllm#17784',
    'DeepSeek R1’s, two of them',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{"path":"src/a.ts"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>test\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>',
    [READ, TEST],
    '',
  ],
  [
    '-',
    'DeepSeek V3.1’s, without a fence',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>read<｜tool▁sep｜>{"path": "src/a.ts"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    [READ],
  ],
  [
    'tenstorrent/tt-inference-server#3683',
    'DeepSeek’s tokens in ASCII',
    '<|tool_calls_begin|><|tool_call_begin|>function<|tool_sep|>read\n```json\n{"path": "src/a.ts"}\n```<|tool_call_end|><|tool_calls_end|>',
    [READ],
  ],
  [
    'vllm-project/vllm#36654',
    'DeepSeek V3.2’s markup',
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="read">\n<｜DSML｜parameter name="path" string="true">src/a.ts</｜DSML｜parameter>\n<｜DSML｜parameter name="to" string="false">4</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
    ['read {"path":"src/a.ts","to":4}'],
    '',
  ],
  [
    'NousResearch/hermes-agent#15473',
    'DeepSeek V4’s markup, after words',
    'I look.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name="read">\n<｜DSML｜parameter name="path" string="true">src/a.ts</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    [READ],
    'I look.',
  ],
  [
    'vllm-project/vllm#44060',
    'MiniMax M2’s, with a closing tag within the value',
    '<minimax:tool_call>\n<invoke name="write">\n<parameter name="path">src/a.ts</parameter>\n<parameter name="content"><parameter>\n  <hello></hello>\n</parameter>\n</parameter>\n</invoke>\n</minimax:tool_call>',
    ['write {"content":"<parameter>\\n  <hello></hello>\\n</parameter>","path":"src/a.ts"}'],
    '',
  ],
  [
    'abetlen/llama-cpp-python#2227',
    'Gemma 4’s tokens and quotes',
    '<|tool_call>call:write{path:<|"|>a.txt<|"|>,content:<|"|>say "hi", {x}\nand go<|"|>}<tool_call|>',
    ['write {"content":"say \\"hi\\", {x}\\nand go","path":"a.txt"}'],
    '',
  ],
  [
    'ggml-org/llama.cpp#22786',
    'Gemma 4’s, numbers and lists',
    '<|tool_call>call:run{argv:[<|"|>npm<|"|>,<|"|>test<|"|>]}<tool_call|>',
    ['run {"argv":["npm","test"]}'],
  ],
  [
    'Gitlawb/openclaude#380',
    'Gemma 4’s, its tokens and quotes dropped by the server',
    'call:write{content:hello, world,path:a.txt}',
    ['write {"content":"hello, world","path":"a.txt"}'],
    '',
  ],

  // known ones, from other models and servers
  [
    'ollama/ollama#13519',
    'llama3.2:3b’s fence, under parameters',
    `\`\`\`json\n${json('search', { query: 'install ollama models' }, 'parameters')}\n\`\`\``,
    ['search {"query":"install ollama models"}'],
    '',
  ],
  ['jundot/omlx#2565', 'qwen2.5-coder on MLX', `${json('read', { path: 'test.txt' })}\n`, ['read {"path":"test.txt"}']],
  [
    'vllm-project/vllm#28219',
    'DeepSeek-R1-Distill-Llama, its thoughts before',
    `<think>\nI need the file.\n</think>\n\n${json('read', { path: 'src/a.ts' }, 'parameters')}`,
    [READ],
    '',
  ],
  ['raullenchai/Rapid-MLX#700', 'llama-3.1 in another script', json('search', { query: '你好' }, 'parameters'), ['search {"query":"你好"}']],
  [
    'Gitlawb/openclaude#433',
    'indented by two',
    '{\n  "name": "search",\n  "arguments": {\n    "query": "repository structure"\n  }\n}',
    ['search {"query":"repository structure"}'],
  ],
  [
    'vllm-project/vllm#43116',
    'Granite’s Python, one a line',
    'read(path="src/a.ts")\nsearch(query="vLLM release notes")',
    [READ, 'search {"query":"vLLM release notes"}'],
  ],
  ['vllm-project/vllm#9027', 'Granite 3’s list', `<|tool_call|>[${A}, ${json('test', {})}]`, [READ, TEST]],
  ['ollama/ollama#7544', 'granite3-dense’s function_call, never closed', `<function_call> ${A}`, [READ]],
  [
    'vllm-project/vllm#14734',
    'Gemma 3’s fence of a list, after words',
    "The query asks for the file.\n```tool_code\n[read(path='src/a.ts')]\n```",
    [READ],
    'The query asks for the file.',
  ],
  ['-', 'LM Studio’s request', `[TOOL_REQUEST]\n${A}\n[END_TOOL_REQUEST]`, [READ]],
]

describe('a call', () => {
  for (const [source, what, text, want, words] of CALLS)
    test(`${what} (${source})`, () => {
      assert.deepEqual(seen(text), want)
      if (words !== undefined) assert.equal(callsInText(text, AGENT_TOOLS).text, words)
    })
})

const NO_CALLS: readonly (readonly [source: string, what: string, text: string])[] = [
  ['-', 'a tool that is not offered', '<tool_call>{"name": "delete_all", "arguments": {}}</tool_call>'],
  ['ggml-org/llama.cpp#18183', 'an object with a name', 'const jsonStr = \'{"name": "read", "age": 30}\''],
  ['ggml-org/llama.cpp#16710', 'the same on lines of its own', '{\n  "name": "read",\n  "age": 30\n}'],
  ['sgl-project/sglang#35608', 'an object at the beginning of words', '{"a": 1} is a dict'],
  [
    'lmstudio-ai/lmstudio-bug-tracker#1592',
    'thoughts about calls',
    '<think>\nsome use `<function=read>`, others\n<tool_call>\n{"name": "test", "arguments": {}}\n</tool_call></think>\nI am done.',
  ],
  ['vllm-project/vllm#55759', 'thoughts that do not end, whose calls a patch of vLLM would make', `<think>\nI could do\n<tool_call>\n${A}\n</tool_call>`],
  ['aaif-goose/goose#1857', 'words on how calls are written', `A call is written \`<tool_call>${A}</tool_call>\`, on one line.`],
  ['aaif-goose/goose#12371', 'a quoted call', `> <tool_call>${A}</tool_call>`],
  ['aaif-goose/goose#10606', 'a call within data', JSON.stringify({ example: `<tool_call>${A}</tool_call>` })],
  ['agentscope-ai/QwenPaw#4066', 'a call in a block of code', `It looks so:\n\n\`\`\`python\nx = """\n<tool_call>\n${A}\n</tool_call>\n"""\n\`\`\``],
  ['-', 'a call in a block of code of that language', `\`\`\`ts\nconst call = ${A}\n\`\`\``],
  ['-', 'a block with a call and more', `\`\`\`json\n{"messages": [${A}]}\n\`\`\``],
  ['-', 'a call added in a diff', `diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n {"a": 1}\n+${A}\n+<tool_call>${A}</tool_call>`],
  ['-', 'bare JSON beside a diff', `--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n${A}`],
  [
    '-',
    'the definition of a tool',
    '{"name": "read", "description": "Show a file", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}',
  ],
  ['-', 'a definition without a description', '{"name": "read", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}'],
  ['-', 'a task of an editor', '{"name": "test", "args": ["--watch"], "type": "node"}'],
  ['-', 'a package', '{"name": "test", "version": "1.0.0"}'],
  ['-', 'a call of Python in words', 'Then read(path="src/a.ts") shows it, and [test()] runs them.'],
  ['-', 'a call of Python on a line of words', 'Do this:\n\nread(path="src/a.ts")\n\nand then that.'],
  ['-', 'a list of Markdown', '- [test](docs/test.md)\n- [x] read(path="a")\n[read](a.md)'],
  ['-', 'a call of code', '[read(path), test()].map(String)'],
  ['-', 'a name of a tag in a sentence', '<function=test> is how it begins.'],
  ['-', 'an indented example', `For example:\n\n    <tool_call>${A}</tool_call>`],
  ['-', 'words with a closing thought', 'I think </think> is a tag.'],
  ['-', 'a word about Gemma’s calls', 'A call:write is made so.'],
  [
    '-',
    'a section of a tool that is not offered',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.rm:0<|tool_call_argument_begin|>{}<|tool_call_end|>',
  ],
  ['-', 'nothing', ''],
]

describe('no call', () => {
  for (const [source, what, text] of NO_CALLS)
    test(`${what} (${source})`, () => {
      assert.deepEqual(seen(text), [])
      assert.equal(callsInText(text, AGENT_TOOLS).text, text)
    })
})

test('at the limit, what lacks its end is told and not made', () => {
  assert.deepEqual(seen(`<tool_call>\n${A.slice(0, -1)}`, true), ['read {"malformed":""}'])
  assert.deepEqual(seen(`<tool_call>\n${A}\n</tool_call>`, true), [READ])
  assert.deepEqual(seen('{"name": "write", "arguments": {"path": "a", "content": "half'), [])
})

test('without tools, text is text', () => assert.deepEqual(callsInText(A, []), { calls: [], text: A, dialects: [] }))

test('a hundred rows are from public threads', () => {
  const cited = [...CALLS, ...NO_CALLS].filter(([source]) => /^[\w.-]+\/[\w.-]+#\d+$/.test(source))
  assert.ok(cited.length >= 100, `${cited.length} rows`)
})

for (const [title, piece] of [
  ['calls that never end', 'call:read{\n'],
  ['calls that never end, with a key', 'call:read{path:\n'],
] as const)
  test(`a text full of ${title} is not read to its end for each`, { timeout: 20_000 }, () => {
    assert.deepEqual(callsInText(piece.repeat(200_000 / piece.length), AGENT_TOOLS).calls, [])
  })

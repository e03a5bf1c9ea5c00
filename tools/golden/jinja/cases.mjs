// Templates and contexts; render.mjs adds what an independent implementation makes of them.

const chat = [
  { role: "system", content: "You are brief." },
  { role: "user", content: "  Hello, é🙂!\n" },
  { role: "assistant", content: "<think>\nhm\n</think>\n\nHi." },
  { role: "user", content: "Weather in \"Bern\"?" },
];
const tool = {
  type: "function",
  function: {
    name: "weather",
    description: "Weather of a city",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string", description: "name" },
        unit: { type: "string", enum: ["c", "f"] },
      },
      required: ["city"],
    },
  },
};
const toolChat = [
  ...chat,
  {
    role: "assistant",
    content: "",
    tool_calls: [
      { type: "function", function: { name: "weather", arguments: { city: "Bern", days: 2 } } },
      { type: "function", function: { name: "weather", arguments: { city: "Genève" } } },
    ],
  },
  { role: "tool", content: "12 °C" },
  { role: "tool", content: "rain & <wind>" },
];

const tinyMoe =
  "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

const chatml = `{% for message in messages %}
    {% if loop.first and message.role != 'system' %}
<|im_start|>system
A default.<|im_end|>
    {% endif %}
<|im_start|>{{ message.role }}
{{ message.content | trim }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
`;

// The constructs of the thinking families: reversed slices, namespaces, tools, content splitting.
const thinking = `{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "Signatures within <tools></tools>:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step=true, last_query=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last_query = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query and (loop.last or reasoning) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}`;

const headers = `{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`;

const inst = `{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- else %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}`;

const macros = `{#- types of parameters as TypeScript -#}
{%- macro render_type(spec, required, depth=0) -%}
    {%- if spec.type == "object" -%}
        {{- "{\\n" }}
        {%- for name, child in spec.properties.items() -%}
            {{- "// " ~ (child.description | default("no description")) ~ "\\n" }}
            {{- name -}}{{- "" if name in required else "?" -}}{{- ": " -}}
            {{- render_type(child, child.required or [], depth=depth + 1) }}
            {%- if not loop.last %}{{- "," }}{% endif -%}
            {{- "\\n" }}
        {%- endfor -%}
        {{- "}" -}}
    {%- elif spec.enum -%}
        {{- '"' + spec.enum|join('" | "') + '"' -}}
    {%- else -%}
        {{- spec.type }}{{ " /* " ~ depth ~ " */" }}
    {%- endif -%}
{%- endmacro -%}
{%- macro system(effort="medium") -%}
    {{- "Reasoning: " + effort + "\\n\\n" }}
    {%- if tools -%}
        {%- for tool in tools -%}
            {{- "type " + tool.function.name + " = (_: " + render_type(tool.function.parameters, tool.function.parameters.required) + ") => any;\\n" }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{{- "<|start|>system<|message|>" + system(effort=reasoning_effort) + "<|end|>" -}}
{%- set last = namespace(name=none) %}
{%- for message in messages -%}
    {%- if message.role == 'system' %}{% continue %}{% endif -%}
    {%- if 'tool_calls' in message -%}
        {%- set last.name = message.tool_calls[0].function.name -%}
        {{- "<|start|>assistant to=functions." + last.name + "<|message|>" + message.tool_calls[0].function.arguments|tojson + "<|call|>" }}
    {%- elif message.role == 'tool' -%}
        {{- "<|start|>functions." + last.name + " to=assistant<|message|>" + message.content|tojson + "<|end|>" }}
    {%- else -%}
        {{- "<|start|>" + message.role + "<|message|>" + message.content + "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}`;

const base = { bos_token: "<s>", eos_token: "</s>", add_generation_prompt: true };
export const chats = [
  ["tiny-moe", tinyMoe, { ...base, messages: chat }],
  ["tiny-moe without prompt", tinyMoe, { ...base, messages: chat, add_generation_prompt: false }],
  ["chatml", chatml, { ...base, messages: chat }],
  ["chatml default system", chatml, { ...base, messages: chat.slice(1) }],
  ["thinking", thinking, { ...base, messages: chat }],
  ["thinking off", thinking, { ...base, messages: chat, enable_thinking: false }],
  ["thinking tools", thinking, { ...base, messages: toolChat, tools: [tool] }],
  ["thinking unfinished", thinking, { ...base, messages: toolChat.slice(0, 5), tools: [tool, tool] }],
  ["headers", headers, { ...base, messages: chat }],
  ["inst", inst, { ...base, messages: chat }],
  ["inst without system", inst, { ...base, messages: chat.slice(1) }],
  ["macros", macros, { ...base, messages: chat, tools: [tool], reasoning_effort: "high" }],
  ["macros tools", macros, { ...base, messages: toolChat, tools: [tool], reasoning_effort: "low" }],
];

const context = {
  s: " Hello World ", e: "", u: "aé🙂z", n: 7, z: 0, f: 1.5, t: true, nil: null,
  l: [3, 1, 2], words: ["b", "A", "c", "a"], d: { b: 1, a: "x", "k y": [1, 2] },
  rows: [{ r: "user", c: "x", g: 2 }, { r: "tool", c: "", g: 1 }, { r: "user", c: "y", g: 3 }],
};
export const expressionContext = context;
export const expressions = [
  "{{ 1 + 2 * 3 }}", "{{ (1 + 2) * 3 }}", "{{ 7 % 3 }}", "{{ -7 % 3 }}", "{{ 7 // 2 }}", "{{ -7 // 2 }}",
  "{{ 7 / 2 }}", "{{ 2 ** 10 }}", "{{ n - 1 }}", "{{ -n }}", "{{ 'a' ~ 1 ~ none ~ true }}",
  "{{ 1 ~ 2 + 3 ~ 4 if false else 'x' }}", "{{ 'ab' * 3 }}", "{{ [1, 2] + [3] }}", "{{ f * 2 }}",
  "{{ 1.0 }} {{ 0.1 }} {{ 1e20 }} {{ 1.5e-7 }} {{ 123456.789 }}", "{{ true }} {{ false }} {{ none }}",
  "{{ True }} {{ False }} {{ None }}", "{{ undefined_name }}|", "{{ l }}", "{{ d }}", "{{ [none, true, 'it\\'s', \"q\"] }}",
  "{{ (1, 'a') }} {{ (1,) }}", "{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}|", "{{ s.upper() }}{{ s.lower() }}",
  "{{ 'hello wORLD it\\'s'.title() }}|{{ 'hello wORLD it\\'s' | title }}|{{ 'hELLO w' | capitalize }}",
  "{{ 'xxaxx'.strip('x') }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a,b,c'.split(',', 1) }}",
  "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('ab') }} {{ 'abc'.startswith(('x', 'a')) }}",
  "{{ 'aaa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'aaa' | replace('a', 'c') }}",
  "{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ l[5:] }} {{ l[-2:] }}",
  "{{ u[0] }} {{ u[2] }} {{ u[-1] }} {{ u[::-1] }} {{ u[1:3] }} {{ u | length }}",
  "{{ d.b }} {{ d['a'] }} {{ d['k y'][1] }} {{ d.missing is defined }} {{ d.get('b') }} {{ d.get('q', 'dflt') }} {{ d.get('q') }}",
  "{{ 'b' in d }} {{ 'q' not in d }} {{ 3 in l }} {{ 'ell' in s }} {{ 9 not in l }}",
  "{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ 2 != 2 }} {{ l == [3, 1, 2] }}",
  "{{ not t }} {{ t and 'x' }} {{ e or 'y' }} {{ z and 'q' }} {{ not e and not z }} {{ nil or false }}",
  "{{ 'a' if t else 'b' }}{{ 'a' if z }}{{ 'x' if z else 'y' if e else 'w' }}",
  "{{ nil is none }} {{ nil is not none }} {{ n is number }} {{ f is float }} {{ n is integer }} {{ s is string }}",
  "{{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ l is iterable }} {{ n is iterable }} {{ t is boolean }}",
  "{{ n is odd }} {{ n is even }} {{ n is divisibleby 7 }} {{ n is divisibleby(2) }} {{ t is true }} {{ t is false }}",
  "{{ n is equalto 7 }} {{ n is eq(8) }} {{ n is ne 8 }} {{ n is gt 6 }} {{ n is in [7] }} {{ not n is defined }} {{ q is undefined }}",
  "{{ q | default('d') }} {{ e | default('d') }} {{ e | default('d', true) }} {{ nil | default('d') }} {{ q | d }}|",
  "{{ l | length }} {{ l | count }} {{ l | first }} {{ l | last }} {{ l | sort }} {{ l | sort(reverse=true) }} {{ l | reverse | list }}",
  "{{ l | join }} {{ l | join(', ') }} {{ rows | join('+', attribute='r') }} {{ ', '.join(words) }}",
  "{{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ words | unique | list }} {{ words | map('upper') | list }}",
  "{{ rows | map(attribute='c') | list }} {{ rows | map(attribute='q', default='-') | join }}",
  "{{ rows | selectattr('r', 'equalto', 'user') | map(attribute='c') | list }} {{ rows | rejectattr('r', 'equalto', 'user') | list | length }}",
  "{{ rows | selectattr('c') | list | length }} {{ l | select('odd') | list }} {{ l | reject('gt', 2) | list }} {{ [0, 1, '', 'a'] | select | list }}",
  "{{ rows | sort(attribute='g') | map(attribute='g') | list }} {{ l | min }} {{ l | max }} {{ l | sum }} {{ rows | sum(attribute='g') }}",
  "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d | dictsort %}{{ k }};{% endfor %}{% for k in d %}{{ k }},{% endfor %}",
  "{{ d.keys() | list }} {{ d.values() | list }} {{ d | items | list }}",
  "{{ d | tojson }} {{ u | tojson }} {{ [1.0, none, true, 'a\\n\"b\\\\'] | tojson }} {{ {} | tojson }} {{ [] | tojson }}",
  "{{ d | tojson(indent=2) }}", "{{ rows | tojson(indent=4) }}", "{{ '<a href=\"x\">&\\'' | tojson }} {{ '<a href=\"x\">&\\'' | escape }}",
  "{{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.9 | int }} {{ '1.5' | float }} {{ 5 | string + '!' }} {{ -3 | abs }} {{ (-3) | abs }}",
  "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|", "{{ '  x ' | trim }}|{{ s | safe }}|{{ s | string | length }}",
  "{% for i in range(3) %}{{ i }}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }} {% endfor %}",
  "{% for i in range(1, 10, 3) %}{{ i }},{% endfor %}{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}{% for i in [] %}x{% else %}none{% endfor %}",
  "{% for i in l if i > 1 %}{{ loop.index }}:{{ i }} {% endfor %}{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
  "{% for i in l %}{{ loop.previtem if loop.previtem is defined else '-' }}<{{ i }}>{{ loop.nextitem if loop.nextitem is defined else '-' }} {% endfor %}",
  "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set ns = namespace(a=1, b='x') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}",
  "{% set x %}a{{ n }}b{% endset %}[{{ x }}]{{ x | upper }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set q = [1, 2] %}{{ q | length }}",
  "{% macro m(a, b='B', c=3) %}({{ a }},{{ b }},{{ c }}){% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=9) }}{{ m(b=1, a=2) }}",
  "{% macro wrap(x) %}[{{ caller() }}{{ x }}]{% endmacro %}{% call wrap(5) %}in{% endcall %}", "{% macro f(k) %}{{ k }}{% if k > 0 %}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
  "a  {%- if t -%}  b  {%- endif -%}  c", "a\n  {% if t %}\n  b\n  {% endif %}\nc\n", "a {{- ' x ' -}} b", "  {%+ if t %}k{% endif +%}\nz", "x{# note #}\ny\n  {#- other -#}\n z",
  "{% raw %}{{ not }} {% this %}{% endraw %}!", "{{ '}}' }}{{ '%}' }}{{ {'a': {'b': 1}}['a']['b'] }}", "{{ 'a\\tb\\\\n' }}{{ \"it's\" }}{{ 'q\"' }}",
  "{% if e %}1{% elif z %}2{% elif t %}3{% else %}4{% endif %}", "{{ dict(a=1, b=2) }}", "{{ [1, [2, {'k': 'v'}], 'x'] }}", "{{ l | length > 2 and s | trim | length == 11 }}",
  "{{ 'ab' | upper ~ 'cd' | length }}", "{{ d | length }}{{ e | length }}", "{{ 1 if 'x' in ['x', 'y'] and not ('z' in ['x']) else 2 }}", "{{ 'x'.join(['a', 'b']) | replace('x', '-') }}",
  "{% filter upper %}ab{{ n }}c{% endfilter %}", "{{ 'a-b_c'.split('-')[-1].split('_')[0] }}", "{{ messages_undefined | length if messages_undefined is defined else 'no' }}",
];

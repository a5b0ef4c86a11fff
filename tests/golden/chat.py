"""Golden texts of chat templates, rendered by transformers' own Jinja environment.

Each template is small and uses what the templates of released models use: trimmed blocks, string methods, namespaces, slices,
reversed lists, loop controls, macros, tojson, generation marks, raise_exception.

Made with Python 3.11, transformers 5.23.0, Jinja2 3.1.6:  python tests/golden/chat.py > tests/golden/chat.json
"""

import json

from jinja2.exceptions import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

TEMPLATES = {
    "turns": "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "blocks are trimmed": "{{ bos_token }}\n{% for m in messages %}\n    {% if m.role == 'user' %}\n  Q: {{ m.content | trim }}\n"
    "    {% else %}\n  A: {{ m.content }}{{ eos_token }}\n    {% endif %}\n{% endfor %}\nend\n",
    "dashes": "{%- for m in messages -%}\n   {{- m.role.upper() }} : {{ m.content -}}   \n{%- endfor %}",
    "system apart": "{%- if messages[0]['role'] == 'system' %}\n    {%- set system = messages[0]['content'] | trim %}\n"
    "    {%- set rest = messages[1:] %}\n{%- else %}\n    {%- set system = '' %}\n    {%- set rest = messages %}\n{%- endif %}\n"
    "{{- '[' + system + ']' }}\n{%- for m in rest %}\n    {{- loop.index0 ~ '/' ~ loop.length ~ ':' ~ m.content ~ ('.' if loop.last else ';') }}\n{%- endfor %}",
    "reasoning cut": "{%- set ns = namespace(last=messages|length - 1, open=true) %}\n"
    "{%- for m in messages[::-1] %}\n    {%- set i = messages|length - 1 - loop.index0 %}\n"
    "    {%- if ns.open and m.role == 'user' and not (m.content.startswith('<t>') and m.content.endswith('</t>')) %}\n"
    "        {%- set ns.open = false %}\n        {%- set ns.last = i %}\n    {%- endif %}\n{%- endfor %}\n"
    "{%- for m in messages %}\n    {%- set content = m.content if m.content is string else '' %}\n"
    "    {%- if m.role == 'assistant' and '</think>' in content %}\n"
    "        {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n"
    "        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
    "        {{- '(' ~ thought ~ ')' if loop.index0 > ns.last }}\n    {%- endif %}\n"
    "    {{- m.role ~ ': ' ~ content.strip() ~ '\\n' }}\n{%- endfor %}"
    "{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}{{ '<think></think>' }}{% endif %}",
    "alternation": "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant') }}{% endif %}{{ m['content'] }}|{% endfor %}",
    "tools are none": "{% if tools is not none and tools %}tools{% elif documents %}documents{% else %}plain{% endif %}"
    "{{ ' ' if not undefined_thing is defined }}{{ undefined_thing }}{{ messages[0].reasoning_content is string }}",
    "json": "{{ messages | tojson }}\n{{ {'a': [1, 2.5, true, none], 'b': '<é>'} | tojson(indent=2) }}",
    "macro and controls": "{% macro say(text, loud=false) %}{{ text | upper if loud else text }}!{% endmacro %}"
    "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ say(m.content, loud=loop.first) }}"
    "{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}",
    "generation marks": "{% for m in messages %}\n{% if m.role == 'assistant' %}\n    {% generation %}\n{{ m.content }}\n    {% endgeneration %}\n"
    "{% else %}\n{{ m.content }}\n{%- endif %}\n{% endfor %}",
    "comments": "{#- nothing -#}\n  {{ messages[-1]['content'][:3] }} {# here #}\n{{ messages | map(attribute='role') | join(',') }}"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
}

CONVERSATIONS = [
    [{"role": "user", "content": "What is 1 + 1?"}],
    [
        {"role": "system", "content": "  Be brief.\n"},
        {"role": "user", "content": "你好 <b>&</b>"},
        {"role": "assistant", "content": "<think>\nA greeting.\n</think>\n\nHello!"},
        {"role": "user", "content": "<t>x</t>"},
    ],
    [
        {"role": "user", "content": " a\n"},
        {"role": "assistant", "content": "<think>\n1\n</think>\nb"},
        {"role": "user", "content": "c 'd' \"e\""},
        {"role": "assistant", "content": "<think>\n2\n\n</think>\n\nf\n"},
    ],
]

cases = []
for name, template in TEMPLATES.items():
    for messages in CONVERSATIONS:
        for add_generation_prompt in (False, True):
            variables = {"bos_token": "<s>", "eos_token": "</s>"} | ({"enable_thinking": False} if add_generation_prompt else {})
            try:
                rendered, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=add_generation_prompt, **variables)
                outcome = {"rendered": rendered[0]}
            except TemplateError as error:
                outcome = {"raised": str(error)}
            cases.append({"name": name, "template": template, "messages": messages, "add_generation_prompt": add_generation_prompt} | outcome)

print("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]")

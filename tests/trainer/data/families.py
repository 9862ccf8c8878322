"""Chat templates as model families have them, each on a tokenizer that fits it.

Templates that come without a package are written anew from the formats that their vendors publish.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.chat_tokenizers import byte_level_bpe
from tests.package_tokenizers import tokenizer_folder
from transformers import AutoTokenizer

PHI = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
MISTRAL = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set turns = messages[1:] %}{%- else %}{%- set turns = messages %}{%- endif %}"
    "{{- bos_token }}{%- for m in turns %}"
    "{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{- raise_exception('roles must alternate') }}"
    "{%- endif %}"
    "{%- if m['role'] == 'user' %}"
    "{%- if loop.first and system is defined %}{{- '[INST]' + system + '\n\n' + m['content'] + '[/INST]' }}"
    "{%- else %}{{- '[INST]' + m['content'] + '[/INST]' }}{%- endif %}"
    "{%- else %}{{- ' ' + m['content'] + eos_token }}{%- endif %}{%- endfor %}"
)
# Since Mistral Nemo the system prompt stands in the last question, wherever that is.
MISTRAL_SYSTEM_LAST = (
    "{%- set asked = messages | selectattr('role', 'equalto', 'user') | list %}"
    + MISTRAL.replace("loop.first and system", "m == asked[-1] and system")
)
LLAMA_3_1_DATED = (
    "{{- bos_token }}{%- if not date_string is defined %}"
    "{%- if strftime_now is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
    "{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}{%- endif %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023' }}"
    "{{- '\nToday Date: ' }}"
    "{{- date_string + '\n\n' + system + '<|eot_id|>' }}"
    "{%- for m in messages %}"
    "{%- if m.role == 'tool' or m.role == 'ipython' %}"
    "{{- '<|start_header_id|>ipython<|end_header_id|>\n\n' + m.content + '<|eot_id|>' }}"
    "{%- elif m.tool_calls %}"
    "{%- if m.tool_calls | length != 1 %}{{- raise_exception('one call at once') }}{%- endif %}"
    "{%- set call = m.tool_calls[0].function %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    '{{- \'{"name": "\' + call.name + \'", "parameters": \' }}'
    "{{- call.arguments | tojson }}{{- '}<|eot_id|>' }}"
    "{%- else %}"
    "{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
    "{%- if loop.first and tools %}{{- 'You may call:\n' }}"
    "{%- for t in tools %}{{- t | tojson(indent=4) + '\n\n' }}{%- endfor %}{%- endif %}"
    "{{- m.content | trim + '<|eot_id|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}"
    "{% else %}{% set content = m['content'] %}{% if '</think>' in content %}"
    "{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"
)
DEEPSEEK_V3_1 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}"
    "{% else %}{% set content = m['content'] %}{% if '</think>' in content %}"
    "{% set content = content.split('</think>', 1)[1] %}{% endif %}"
    "{{ '<｜Assistant｜></think>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}"
    "{% if thinking %}{{ '<think>' }}{% else %}{{ '</think>' }}{% endif %}{% endif %}"
)
QWEN_OPENS_THOUGHTS = (
    "{%- set ns = namespace(last=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}"
    "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' and loop.index0 > ns.last %}"
    "{{- '<think>\n' + (m.reasoning_content | default('', true) | trim) + '\n</think>\n\n' }}{%- endif %}"
    "{{- m.content | trim + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}"
    "{%- else %}{{- '<think>\n' }}{%- endif %}{%- endif %}"
)
GPT_OSS = (
    "{%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'medium' %}{%- endif %}"
    "{{- '<|start|>system<|message|>You are a language model.\nCurrent date: ' + strftime_now('%Y-%m-%d') }}"
    "{{- '\n\nReasoning: ' + reasoning_effort + '\n\n# Valid channels: analysis, final.<|end|>' }}"
    "{%- if messages[0].role == 'system' %}{%- set developer = messages[0].content %}"
    "{%- set turns = messages[1:] %}"
    "{%- else %}{%- set developer = '' %}{%- set turns = messages %}{%- endif %}"
    "{%- if developer or tools %}{{- '<|start|>developer<|message|>' }}"
    "{%- if developer %}{{- '# Instructions\n\n' + developer + '\n\n' }}{%- endif %}"
    "{%- if tools %}{{- '# Tools\n\n' }}"
    "{%- for t in tools %}{{- '// ' + t.function.description + '\ntype ' }}"
    "{{- t.function.name + ' = ' + (t.function.parameters | tojson) + '\n' }}{%- endfor %}{%- endif %}"
    "{{- '<|end|>' }}{%- endif %}"
    "{%- set ns = namespace(tool=none) %}"
    "{%- for m in turns %}{%- if m.role == 'assistant' %}"
    "{%- if 'tool_calls' in m %}"
    "{%- if m.thinking %}{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}"
    "{%- endif %}{%- set call = m.tool_calls[0].function %}{%- set ns.tool = call.name %}"
    "{{- '<|start|>assistant to=functions.' + call.name + '<|channel|>commentary json<|message|>' }}"
    "{{- call.arguments | tojson }}{{- '<|call|>' }}"
    "{%- elif loop.last and not add_generation_prompt %}"
    "{%- if 'thinking' in m %}"
    "{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{%- endif %}"
    "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}"
    "{%- else %}{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{%- endif %}"
    "{%- elif m.role == 'tool' %}"
    "{{- '<|start|>functions.' + ns.tool + ' to=assistant<|channel|>commentary<|message|>' }}"
    "{{- m.content | tojson }}{{- '<|end|>' }}"
    "{%- else %}{{- '<|start|>user<|message|>' + m.content + '<|end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}"
)

_SPECIAL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
_MORE_TOKENS = {
    "phi": ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    "mistral": ("[INST]", "[/INST]"),
    "mistral-system-last": ("[INST]", "[/INST]"),
}
_OWN_TEMPLATES = {
    "phi": PHI,
    "mistral": MISTRAL,
    "mistral-system-last": MISTRAL_SYSTEM_LAST,
    "llama3_1-dated": LLAMA_3_1_DATED,
    "r1": R1,
    "deepseek-v3.1": DEEPSEEK_V3_1,
    "qwen-opens-thoughts": QWEN_OPENS_THOUGHTS,
    "gptoss": GPT_OSS,
}
_PACKAGES = {
    "llama3_1-dated": "llama3_1",
    "r1": "deepseek_v3",
    "deepseek-v3.1": "deepseek_v3",
    "qwen-opens-thoughts": "qwen3",
}
FAMILIES = ("llama3", "llama3_1", "qwen3", "gemma3", "deepseek_v3", *_OWN_TEMPLATES)


@cache
def _package(name: str) -> Any:
    return AutoTokenizer.from_pretrained(tokenizer_folder(name))


@cache
def _small(name: str) -> Any:
    return byte_level_bpe((*_SPECIAL, *_MORE_TOKENS[name]))


@cache
def template_of(family: str) -> str:
    """The chat template of a family."""
    return _OWN_TEMPLATES.get(family) or str(_package(family).chat_template)


def tokenizer_of(family: str) -> Any:
    """The tokenizer of a family with its template; loaded once, so not to be kept over another call."""
    template = template_of(family)
    tokenizer = _small(family) if family in _MORE_TOKENS else _package(_PACKAGES.get(family, family))
    tokenizer.chat_template = template
    return tokenizer

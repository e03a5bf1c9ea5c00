"""Adds what Jinja itself, set up as Hugging Face transformers does, makes of the cases on stdin.

Needs jinja2==3.1.6. Every chat must come out the same in JavaScript and Python; where small
expressions differ, Python is right, since transformers is where chat templates are written for.
"""

import json
import sys

from jinja2.sandbox import ImmutableSandboxedEnvironment


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
)
environment.filters["tojson"] = tojson

cases = json.load(sys.stdin)
for case in cases:
    case["expected"] = environment.from_string(case["template"]).render(**case["context"])
    javascript = case.pop("javascript", None)
    case.pop("javascriptError", None)
    if not case["name"].startswith("expression"):
        assert case["expected"] == javascript, case["name"]
json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)
print()

// Usage: npm install @huggingface/jinja@0.5.11 && node render.mjs | python3 render.py > cases.json
import { Template } from "@huggingface/jinja";
import { chats, expressions, expressionContext } from "./cases.mjs";

const cases = [
  ...chats.map(([name, template, context]) => ({ name, template, context })),
  ...expressions.map((template, i) => ({ name: "expression " + i, template, context: expressionContext })),
];
for (const entry of cases) {
  try {
    entry.javascript = new Template(entry.template).render(entry.context);
  } catch (e) {
    entry.javascriptError = String(e.message);
  }
}
process.stdout.write(JSON.stringify(cases, null, 1) + "\n");

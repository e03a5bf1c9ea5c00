/**
 * A small interpreter for the Jinja that chat templates are written in: the language of
 * jinja.palletsprojects.com as Hugging Face transformers configures it (trim_blocks, lstrip_blocks,
 * loop controls, no automatic escaping), with Python's values. No reflection: a template reaches
 * only the values it is given. Bounded: {@link dev.quern.text.jinja.Limits}.
 */
package dev.quern.text.jinja;

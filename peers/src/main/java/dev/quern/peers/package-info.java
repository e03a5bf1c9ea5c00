/**
 * Other runtimes in Java with the options of llama-bench and its JSON. Each is a program of its
 * own: nothing here meets quern's classes, and nothing of quern's is needed here.
 */
package dev.quern.peers;

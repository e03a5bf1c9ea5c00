/** Other runtimes, measured in turns with quern: each in a process of its own. */
package dev.quern.bench.peers;

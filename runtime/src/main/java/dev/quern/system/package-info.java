/** What the operating system tells and gives: memory, files, counters. Depends on no other room. */
package dev.quern.system;

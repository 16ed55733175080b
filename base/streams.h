/* The three descriptors that a program starts with. Whoever starts it may have closed some; then
 * the next socket or file gets such a number, is read as input, and has what is said written into
 * it.
 *
 * Call it before anything is opened. */
#ifndef SLU_BASE_STREAMS_H
#define SLU_BASE_STREAMS_H

/** Puts something where standard input, output or error is closed. Reading and writing there go on
 * failing, as they do where it is closed, so that nothing is lost without a complaint. */
void slu_streams_hold(void);

#endif

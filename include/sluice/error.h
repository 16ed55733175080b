/* The one table of errors. Every fallible function returns 0 or one of these; `slu_strerror`
 * gives the words a person reads. Three classes of failure, told apart by where they are handled:
 * a peer's or client's fault (MALFORMED .. LIMIT: count it and drop), an operating fault
 * (IO .. EXISTS: hand it up until someone can act), and a bug (never an error code: SLU_CHECK). */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define SLU_OK              0
#define SLU_ERR_MALFORMED  (-1)  /* bytes are not the canonical encoding of what they should be */
#define SLU_ERR_SIGNATURE  (-2)  /* a signature does not verify */
#define SLU_ERR_MISMATCH   (-3)  /* well formed, but of another chain, epoch, lane or version */
#define SLU_ERR_LIMIT      (-4)  /* over a bound of the protocol or of the genesis */
#define SLU_ERR_IO         (-5)  /* the operating system refused; errno or the log has the words */
#define SLU_ERR_CORRUPT    (-6)  /* stored data is damaged */
#define SLU_ERR_NOT_FOUND  (-7)  /* no such record */
#define SLU_ERR_MEMORY     (-8)  /* allocation refused */
#define SLU_ERR_CLOSED     (-9)  /* the other end, or this one, is shut */
#define SLU_ERR_TIMEOUT    (-10) /* no answer in time */
#define SLU_ERR_BUSY       (-11) /* a bounded queue is full: try again later */
#define SLU_ERR_CONFIG     (-12) /* a config or genesis file says something that cannot be */
#define SLU_ERR_EXISTS     (-13) /* would overwrite something that must not be */
#define SLU_ERR_REFUSED    (-14) /* a rule forbids it (a second vote, an unknown peer) */
#define SLU_ERR_LIE        (-15) /* what a node shows is not so */

/** Marks results that a caller may not drop. */
#define SLU_MUST_USE __attribute__((warn_unused_result))

/** Words for `error` (0 or one of the table). Static storage; never NULL. */
const char *slu_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif

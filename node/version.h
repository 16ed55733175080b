/* The version that a node says of itself: in its log, in `sluice status`, with --version. */
#ifndef SLU_NODE_VERSION_H
#define SLU_NODE_VERSION_H

/** SLUICE_VERSION of the build. */
extern const char slu_version[];

#endif

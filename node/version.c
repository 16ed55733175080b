#include "node/version.h"

const char slu_version[] = SLUICE_VERSION;

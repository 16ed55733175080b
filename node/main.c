/* sluiced: one node of a cluster. See README.md. */
#include "node/program.h"

int main(int argc, char **argv)
{
    return slu_sluiced_main(argc, argv, NULL);
}

/*
 * main.c
 *		glperf-advisor: turn the extension's analysis into safe DDL.
 */
#include "postgres_fe.h"

int
main(int argc, char *argv[])
{
	printf("glperf-advisor %s\n", GLPERF_VERSION);
	return 0;
}

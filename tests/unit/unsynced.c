/* unsynced.c - the disk that unit tests have: what is written is there at once, and is lost with the machine.
 *
 * A test of the store commits thousands of times, and what they are about survives the end of a process without a sync. SQLite
 * and we call these in place of the C library's. A test in which a sync fails has its own (refusing.h). That a confirmed change
 * was synced is a matter of the daemon's tests (tests/http, tests/faults).
 */
#include <unistd.h>

__attribute__((weak)) int fsync(int fd)
{
	(void)fd;
	return 0;
}

__attribute__((weak)) int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

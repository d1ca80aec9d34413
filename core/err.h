/* err.h - how every function of descentd reports failure.
 *
 * A function that can fail returns 0 or one of these codes and writes one sentence for the user into the
 * caller's struct err: what is wrong, where, and how to mend it. Nothing in core prints, exits or keeps
 * the last error in a global. What a code means over HTTP is one table in server/http/problem.c.
 */
#ifndef DESCENT_ERR_H
#define DESCENT_ERR_H

enum err_code {
	ERR_OK = 0,
	ERR_SYNTAX,         /* bytes that are not what they claim to be: broken JSON, CSV, model file */
	ERR_INVALID,        /* well formed, but it makes no sense: a wrong type, width, unknown field */
	ERR_RANGE,          /* a number outside what is allowed */
	ERR_NOT_FOUND,      /* no such model, version, data set, job */
	ERR_CONFLICT,       /* the state of a resource does not allow it */
	ERR_PRECONDITION,   /* If-Match names another state */
	ERR_TOO_LARGE,      /* a body or a product of sizes beyond its limit */
	ERR_UNSUPPORTED,    /* a media type or coding that we do not read */
	ERR_NOT_ACCEPTABLE, /* an answer in none of the types asked for */
	ERR_UNAUTHORIZED,   /* no token, or one nobody issued */
	ERR_FORBIDDEN,      /* a token without the role, an origin that is not ours */
	ERR_BUSY,           /* at a limit for the moment, or stopping: try again */
	ERR_WOULD_BLOCK,    /* the answer needs the store, and this thread must not wait for it */
	ERR_STOPPED,        /* asked to stop, and stopped */
	ERR_DIVERGED,       /* training left the finite numbers */
	ERR_CRASHED,        /* the program ended again and again while it did this */
	ERR_NOMEM,          /* memory could not be had */
	ERR_DISK_FULL,      /* no room on the disk */
	ERR_IO,             /* the disk or the system failed */
	ERR_CORRUPT,        /* stored bytes are damaged */
	/* finer ones of the HTTP contract */
	ERR_BAD_REQUEST,   /* HTTP that two readers could read in two ways */
	ERR_JSON,          /* not JSON, cut short, or nested too deep */
	ERR_DUPLICATE_KEY, /* one key twice in a JSON object */
	ERR_CSV,           /* faults of a CSV body */
	ERR_UNKNOWN_FIELD,
	ERR_MISSING_FIELD,
	ERR_NAME,       /* a name outside [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
	ERR_NO_VERSION, /* a model that was not trained yet */
	ERR_NO_ROUTE,
	ERR_METHOD,
	ERR_HOST,     /* a Host that is not ours */
	ERR_ORIGIN,   /* a page of another origin */
	ERR_LENGTH,   /* URL too long */
	ERR_EXPECT,   /* an expectation other than 100-continue */
	ERR_LATER,    /* the answer comes later: others share its work (server/http/request.h) */
	ERR_DEADLINE, /* the time that the client gave is over */
	ERR_RATE,     /* too many requests in the time, or too many tokens guessed */
	ERR_QUOTA,    /* more than a token may keep */
	ERR_SLOW,     /* a body that comes more slowly than we wait */
	ERR_HEADERS,  /* headers that leave a connection no memory for an answer */
	ERR_CODES,
};

#define ERR_TEXT_BYTES 480

struct err {
	char text[ERR_TEXT_BYTES]; /* one sentence, NUL-terminated, cut at a character when too long */
};

/* Writes the sentence and returns code, so that `return err_set(e, ERR_RANGE, "...")` reads as one step.
 * e may be NULL when the caller does not care why. */
int err_set(struct err *e, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The sentence for an allocation that failed; returns ERR_NOMEM. */
int err_nomem(struct err *e);

#endif

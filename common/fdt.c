/*
 * common/fdt.c - FLUTE's file description; see fdt.h.
 *
 * Runs in the sender (building) and behind the walls of receivers (parsing).
 * Believes nothing of the XML: in open mode anybody can have sent it, in secure
 * mode anybody who holds the group's secret.
 * SPDX-License-Identifier: ISC
 */
#include "common/fdt.h"

#include "common/size.h"
#include "common/tuf.h"
#include "common/url.h"

#include <ctype.h>
#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* expat joins a namespace and a name by this; it lets no namespace hold it */
#define SEP	"\n"
#define NS	"urn:ietf:params:xml:ns:fdt"
#define NS_DP	"urn:dpoint:fdt:1"
#define DEPTH	8
#define NTP_ERA 2208988800u /* seconds from 1900 to 1970 */

/* The FEC's numbers: each an attribute of a File, or of the FDT-Instance for
 * all files that do not have it. */
enum { CODE_ID, CODE_INSTANCE, CODE_BLOCK, CODE_SYMBOL, CODE_SYMBOLS, NCODES };
struct code {
	uint64_t v[NCODES];
	bool	 has[NCODES];
};
static const struct {
	const char *name;
	uint64_t    min, max;
	const char *why;
} code_attributes[NCODES] = {
	{ "FEC-OTI-FEC-Encoding-ID", ALC_FEC_SMALL_BLOCK, ALC_FEC_SMALL_BLOCK,
	    "a FEC encoding that is not ours" },
	{ "FEC-OTI-FEC-Instance-ID", 0, 0, "a FEC encoding that is not ours" },
	{ "FEC-OTI-Maximum-Source-Block-Length", 1, ALC_SYMBOLS_MAX,
	    "the source block length is out of range" },
	{ "FEC-OTI-Encoding-Symbol-Length", 1, UINT16_MAX,
	    "the symbol length is out of range" },
	{ "FEC-OTI-Max-Number-of-Encoding-Symbols", 1, ALC_SYMBOLS_MAX,
	    "the number of encoding symbols is out of range" },
};

struct reader {
	XML_Parser  xml;
	struct fdt *f;
	uint64_t    max_length;
	struct code code; /* of the instance, for files that say nothing */
	size_t	    room;
	unsigned    depth;
	int	    err; /* the first, with its why */
	const char *why;
};

static void
refuse(struct reader *r, int err, const char *why)
{
	if (r->err == 0) {
		r->err = err;
		r->why = why;
		XML_StopParser(r->xml, XML_FALSE);
	}
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int has_internal)
{
	(void)name, (void)sysid, (void)pubid, (void)has_internal;
	refuse(arg, -EBADMSG, "a document type");
}

/* The value of an attribute, or NULL. expat has refused duplicates. */
static const char *
attribute(const XML_Char **atts, const char *name)
{
	for (; *atts != NULL; atts += 2)
		if (strcmp(*atts, name) == 0)
			return atts[1];
	return NULL;
}

/* Decimal digits only, so neither sign nor blank. */
static bool
number(const XML_Char **atts, const char *name, uint64_t min, uint64_t max,
    uint64_t *out)
{
	const char *s = attribute(atts, name);
	uint64_t    v = 0;

	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isdigit((unsigned char)*s) ||
		    __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	*out = v;
	return v >= min && v <= max;
}

/* What atts say of the code, over what c has already. The why, or NULL. */
static const char *
read_code(struct code *c, const XML_Char **atts)
{
	for (size_t i = 0; i < NCODES; i++) {
		if (attribute(atts, code_attributes[i].name) == NULL)
			continue;
		if (!number(atts, code_attributes[i].name,
			code_attributes[i].min, code_attributes[i].max,
			&c->v[i]))
			return code_attributes[i].why;
		c->has[i] = true;
	}
	return NULL;
}

static void
on_instance(struct reader *r, const XML_Char **atts)
{
	const char *complete = attribute(atts, "Complete");
	const char *why = read_code(&r->code, atts);
	uint64_t    v;

	if (why != NULL) {
		refuse(r, -EBADMSG, why);
		return;
	}
	if (!number(atts, "Expires", 0, UINT32_MAX, &v)) {
		refuse(r, -EBADMSG, "no Expires, or out of range");
		return;
	}
	r->f->expires = (uint32_t)v;
	if (complete == NULL || strcmp(complete, "false") == 0 ||
	    strcmp(complete, "0") == 0)
		return;
	if (strcmp(complete, "true") != 0 && strcmp(complete, "1") != 0)
		refuse(r, -EBADMSG, "Complete is not a boolean");
	r->f->is_complete = true;
}

static bool
kind_ok(const char *s)
{
	size_t n = strlen(s);

	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-')
			return false;
	return n < FDT_KIND_MAX;
}

/* A name fit to be shown and looked up. */
static bool
name_ok(const char *s)
{
	return strlen(s) < FDT_NAME_MAX && tuf_path_is_plain(s);
}

/* The FEC's numbers, each within its own range and together an object. */
static bool
fti_ok(const struct alc_fti *f)
{
	struct alc_blocks b;

	return f->symbols >= f->block && f->symbols <= ALC_SYMBOLS_MAX &&
	       alc_blocks_init(&b, f->length, f->symbol, f->block) == 0;
}

static bool
toi_is_twice(const struct fdt *f, uint16_t toi)
{
	size_t count = 0;

	for (size_t i = 0; i < f->n; i++)
		count += f->file[i].toi == toi;
	return count > 1;
}

static const char *
read_fti(struct reader *r, struct alc_fti *f, const XML_Char **atts)
{
	struct code c = r->code;
	const char *why = read_code(&c, atts);
	uint64_t    v, length;

	if (!number(atts, "Transfer-Length", 1, ALC_LENGTH_MAX, &length) ||
	    !number(atts, "Content-Length", length, length, &v) ||
	    attribute(atts, "Content-Encoding") != NULL)
		return "no length, two lengths, or a content encoding";
	f->length = length;
	if (length > r->max_length)
		return "an object longer than allowed";
	for (size_t i = 0; why == NULL && i < NCODES; i++)
		if (!c.has[i])
			why = code_attributes[i].why;
	if (why != NULL)
		return why;
	f->block = (uint32_t)c.v[CODE_BLOCK];
	f->symbol = (uint16_t)c.v[CODE_SYMBOL];
	f->symbols = (uint16_t)c.v[CODE_SYMBOLS];
	if (!fti_ok(f))
		return "a length and FEC numbers that do not fit";
	return NULL;
}

static const char *
read_file(struct reader *r, struct fdt_file *f, const XML_Char **atts)
{
	const char *name = attribute(atts, "Content-Location");
	const char *hex = attribute(atts, NS_DP SEP "sha256");
	const char *kind = attribute(atts, NS_DP SEP "kind");
	uint64_t    v;

	if (!number(atts, "TOI", 1, UINT16_MAX, &v))
		return "no TOI, or out of range";
	f->toi = (uint16_t)v;
	if (toi_is_twice(r->f, f->toi))
		return "a TOI twice";
	if (hex == NULL || hash_from_hex(&f->hash, hex, strlen(hex)) < 0)
		return "no SHA-256, or no such number";
	if (kind != NULL) {
		if (!kind_ok(kind))
			return "a kind that is no short word";
		memcpy(f->kind, kind, strlen(kind) + 1);
	}
	if (name == NULL)
		return "no Content-Location";
	if ((f->name = strdup(name)) == NULL) {
		refuse(r, -ENOMEM, "out of memory");
		return NULL;
	}
	if (url_unescape(f->name) < 0 || !name_ok(f->name))
		return "a Content-Location that is no plain path";
	return read_fti(r, &f->fti, atts);
}

static void
on_file(struct reader *r, const XML_Char **atts)
{
	struct fdt *f = r->f;
	const char *why;

	if (f->n == FDT_FILES_MAX) {
		refuse(r, -EFBIG, "too many files");
		return;
	}
	if (f->n == r->room) {
		size_t		 room = r->room == 0 ? 4 : 2 * r->room;
		struct fdt_file *more =
		    reallocarray(f->file, room, sizeof(*more));

		if (more == NULL) {
			refuse(r, -ENOMEM, "out of memory");
			return;
		}
		f->file = more;
		r->room = room;
	}
	f->file[f->n] = (struct fdt_file){ 0 };
	f->n++;
	why = read_file(r, &f->file[f->n - 1], atts);
	if (why != NULL)
		refuse(r,
		    f->file[f->n - 1].fti.length > r->max_length ? -EFBIG
								 : -EBADMSG,
		    why);
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **atts)
{
	struct reader *r = arg;

	if (r->err != 0)
		return;
	if (++r->depth > DEPTH) {
		refuse(r, -EBADMSG, "elements too deep");
	} else if (r->depth == 1) {
		if (strcmp(name, NS SEP "FDT-Instance") == 0)
			on_instance(r, atts);
		else
			refuse(r, -EBADMSG, "not an FDT-Instance of RFC 6726");
	} else if (r->depth == 2 && strcmp(name, NS SEP "File") == 0) {
		on_file(r, atts);
	}
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	(void)name;
	r->depth--;
}

int
fdt_parse(struct fdt *f, const void *xml, size_t len, uint64_t max_length,
    const char **why)
{
	struct reader r = { .f = f, .max_length = max_length };

	*f = (struct fdt){ 0 };
	*why = "out of memory";
	if (len > FDT_SIZE_MAX) {
		*why = "an FDT longer than allowed";
		return -EFBIG;
	}
	/* UTF-8 whatever the document says of itself */
	if ((r.xml = XML_ParserCreateNS("UTF-8", *SEP)) == NULL)
		return -ENOMEM;
	XML_SetUserData(r.xml, &r);
	XML_SetElementHandler(r.xml, on_start, on_end);
	/* entities can only come from a document type */
	XML_SetStartDoctypeDeclHandler(r.xml, on_doctype);
	if (XML_Parse(r.xml, xml, (int)len, 1) != XML_STATUS_OK && r.err == 0) {
		bool is_memory = XML_GetErrorCode(r.xml) == XML_ERROR_NO_MEMORY;

		r.err = is_memory ? -ENOMEM : -EBADMSG;
		r.why = is_memory ? "out of memory" : "not well-formed XML";
	}
	if (r.err == 0 && f->n == 0) {
		r.err = -EBADMSG;
		r.why = "no file";
	}
	XML_ParserFree(r.xml);
	if (r.err < 0)
		fdt_fini(f);
	*why = r.why;
	return r.err;
}

void
fdt_fini(struct fdt *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->file[i].name);
	free(f->file);
	*f = (struct fdt){ 0 };
}

/* Percent-encoded, and "&" as XML wants it; the rest of it XML takes as it is.
 */
static int
write_name(FILE *out, const char *name)
{
	char uri[3 * FDT_NAME_MAX];

	if (url_escape(name, false, uri, sizeof(uri)) < 0)
		return -EINVAL;
	for (const char *s = uri; *s != '\0'; s++)
		if (*s == '&')
			fputs("&amp;", out);
		else
			putc(*s, out);
	return 0;
}

static void
write_code(FILE *out, const struct alc_fti *t)
{
	const uint64_t v[NCODES] = { [CODE_ID] = ALC_FEC_SMALL_BLOCK,
		[CODE_BLOCK] = t->block,
		[CODE_SYMBOL] = t->symbol,
		[CODE_SYMBOLS] = t->symbols };

	for (size_t i = 0; i < NCODES; i++)
		fprintf(out, "\n %s=\"%" PRIu64 "\"", code_attributes[i].name,
		    v[i]);
}

/* common: what the FDT-Instance says of the code already. */
static int
write_file(FILE *out, const struct fdt *f, const struct fdt_file *file,
    const struct alc_fti *common)
{
	const struct alc_fti *t = &file->fti;
	char		      hex[HASH_HEX];

	if (file->toi == ALC_TOI_FDT || toi_is_twice(f, file->toi) ||
	    !name_ok(file->name) || !kind_ok(file->kind) || !fti_ok(t))
		return -EINVAL;
	hash_to_hex(&file->hash, hex);
	fprintf(out, "<File TOI=\"%u\" Content-Location=\"", file->toi);
	if (write_name(out, file->name) < 0)
		return -EINVAL;
	fprintf(out,
	    "\"\n Content-Length=\"%" PRIu64 "\" Transfer-Length=\"%" PRIu64
	    "\"",
	    t->length, t->length);
	if (t->block != common->block || t->symbol != common->symbol ||
	    t->symbols != common->symbols)
		write_code(out, t);
	fprintf(out, "\n dp:sha256=\"%s\"", hex);
	if (file->kind[0] != '\0')
		fprintf(out, " dp:kind=\"%s\"", file->kind);
	fputs("/>\n", out);
	return 0;
}

/* f's files [from, to). */
static int
write_instance(
    const struct fdt *f, size_t from, size_t to, char **xml, size_t *len)
{
	FILE *out = open_memstream(xml, len);
	int   r = 0;

	if (out == NULL)
		return -ENOMEM;
	fprintf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<FDT-Instance xmlns=\"" NS "\" xmlns:dp=\"" NS_DP "\"\n"
	    " Expires=\"%" PRIu32 "\"%s",
	    f->expires,
	    f->is_complete && to == f->n ? " Complete=\"true\"" : "");
	write_code(out, &f->file[from].fti);
	fputs(">\n", out);
	for (size_t i = from; i < to && r == 0; i++)
		r = write_file(out, f, &f->file[i], &f->file[from].fti);
	fputs("</FDT-Instance>\n", out);
	if (ferror(out) && r == 0)
		r = -ENOMEM;
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0 && *len > FDT_SIZE_MAX)
		r = -EFBIG;
	if (r < 0) {
		free(*xml);
		*xml = NULL;
	}
	return r;
}

int
fdt_build(const struct fdt *f, char **xml, size_t *len)
{
	*xml = NULL;
	if (f->n == 0 || f->n > FDT_FILES_MAX)
		return -EINVAL;
	return write_instance(f, 0, f->n, xml, len);
}

int
fdt_build_some(
    const struct fdt *f, size_t *next, size_t max, char **xml, size_t *len)
{
	char  *more = NULL;
	size_t more_len, to = *next;
	int    r;

	*xml = NULL;
	if (*next >= f->n || f->n > FDT_FILES_MAX)
		return -EINVAL;
	/* one file more at a time: a handful fit, and it is done once a change
	 */
	do {
		if ((r = write_instance(f, *next, to + 1, &more, &more_len)) <
		    0)
			break;
		if (more_len > max) {
			free(more);
			r = -EFBIG;
			break;
		}
		free(*xml);
		*xml = more;
		*len = more_len;
	} while (++to < f->n);
	if (r == -EFBIG && to > *next)
		r = 0;
	if (r < 0) {
		free(*xml);
		*xml = NULL;
		return r;
	}
	*next = to;
	return 0;
}

uint32_t
fdt_expires(int64_t unix_seconds)
{
	return (uint32_t)((uint64_t)unix_seconds + NTP_ERA);
}

bool
fdt_expired(const struct fdt *f, int64_t unix_seconds)
{
	return (int32_t)(f->expires - fdt_expires(unix_seconds)) < 0;
}

/* Begins with the first packet of an instance; its numbers are the measure. */
static int
begin(struct fdt_gather *g, const struct alc_head *h)
{
	uint64_t symbols = (h->fti.length - 1) / h->fti.symbol + 1;
	uint8_t *bytes;

	if (h->fti.length > FDT_SIZE_MAX)
		return -EFBIG;
	if (symbols > 8 * sizeof(g->had))
		return -EBADMSG;
	if ((bytes = malloc(h->fti.length)) == NULL)
		return -ENOMEM;
	fdt_gather_fini(g);
	*g = (struct fdt_gather){
		.bytes = bytes,
		.instance = h->fdt,
		.len = (uint32_t)h->fti.length,
		.symbol = h->fti.symbol,
		.left = (uint16_t)symbols,
		.is_begun = true,
	};
	return 0;
}

int
fdt_gather(
    struct fdt_gather *g, const struct alc_head *h, const void *p, size_t n)
{
	uint64_t bit = UINT64_C(1) << h->esi % 64;
	size_t	 at = (size_t)h->esi * h->fti.symbol;
	int	 r;

	if (!g->is_begun || g->instance != h->fdt) {
		if ((r = begin(g, h)) < 0)
			return r;
	} else if (g->len != h->fti.length || g->symbol != h->fti.symbol) {
		return -EBADMSG;
	}
	/* one block, and every symbol whole but the last */
	if (h->sbn != 0 || at >= g->len ||
	    n != (g->len - at < g->symbol ? g->len - at : g->symbol))
		return -EBADMSG;
	if ((g->had[h->esi / 64] & bit) != 0)
		return 0;
	g->had[h->esi / 64] |= bit;
	memcpy(g->bytes + at, p, n);
	return --g->left == 0;
}

void
fdt_gather_fini(struct fdt_gather *g)
{
	free(g->bytes);
	*g = (struct fdt_gather){ 0 };
}

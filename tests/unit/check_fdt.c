/*
 * tests/unit/check_fdt.c - what fdt.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "common/fdt.h"

#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD                                                                   \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                         \
	"<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" "                  \
	"xmlns:dp=\"urn:dpoint:fdt:1\" "
#define TAIL  "</FDT-Instance>\n"
#define PLACE "Content-Location=\"a/b\" "
#define TOI   "TOI=\"1\" "
#define LEN   "Content-Length=\"3000\" Transfer-Length=\"3000\" "
#define CODE  "FEC-OTI-FEC-Encoding-ID=\"129\" FEC-OTI-FEC-Instance-ID=\"0\" "
#define BLOCK "FEC-OTI-Maximum-Source-Block-Length=\"200\" "
#define SYM   "FEC-OTI-Encoding-Symbol-Length=\"1432\" "
#define MAX   "FEC-OTI-Max-Number-of-Encoding-Symbols=\"255\" "
#define HASH  "dp:sha256=\"" HEX64 "\""
#define ONE   "<File " TOI PLACE LEN CODE BLOCK SYM MAX HASH "/>\n"
#define LIMIT (UINT64_C(1) << 40)

static const char *why;

static int
parse(struct fdt *f, const char *xml)
{
	return fdt_parse(f, xml, strlen(xml), LIMIT, &why);
}

/* Two files of every attribute there is, and the XML that they make. */
static struct fdt_file files[] = {
	{ .name = (char *)"repo/targets/a.deb",
	    .kind = "package",
	    .fti = { .length = 3000,
		.block = 200,
		.symbol = 1432,
		.symbols = 255 },
	    .toi = 1 },
	{ .name = (char *)"gr\303\274n & 100%/'b'\"<c>",
	    .fti = { .length = 281470681677825,
		.block = 255,
		.symbol = 65535,
		.symbols = 255 },
	    .toi = 65535 },
};
static const struct fdt two = {
	.expires = 4000000000, .is_complete = true, .n = 2, .file = files
};
static const char two_xml[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\""
    " xmlns:dp=\"urn:dpoint:fdt:1\"\n"
    " Expires=\"4000000000\" Complete=\"true\"\n"
    " FEC-OTI-FEC-Encoding-ID=\"129\"\n"
    " FEC-OTI-FEC-Instance-ID=\"0\"\n"
    " FEC-OTI-Maximum-Source-Block-Length=\"200\"\n"
    " FEC-OTI-Encoding-Symbol-Length=\"1432\"\n"
    " FEC-OTI-Max-Number-of-Encoding-Symbols=\"255\">\n"
    "<File TOI=\"1\" Content-Location=\"repo/targets/a.deb\"\n"
    " Content-Length=\"3000\" Transfer-Length=\"3000\"\n"
    " " HASH " dp:kind=\"package\"/>\n"
    "<File TOI=\"65535\""
    " Content-Location=\"gr%C3%BCn%20&amp;%20100%25/'b'%22%3Cc%3E\"\n"
    " Content-Length=\"281470681677825\" Transfer-Length=\"281470681677825\"\n"
    " FEC-OTI-FEC-Encoding-ID=\"129\"\n"
    " FEC-OTI-FEC-Instance-ID=\"0\"\n"
    " FEC-OTI-Maximum-Source-Block-Length=\"255\"\n"
    " FEC-OTI-Encoding-Symbol-Length=\"65535\"\n"
    " FEC-OTI-Max-Number-of-Encoding-Symbols=\"255\"\n"
    " " HASH "/>\n" TAIL;

static void
setup(void)
{
	for (size_t i = 0; i < COUNT(files); i++)
		ck_assert_int_eq(hash_from_hex(&files[i].hash, HEX64, 64), 0);
}

START_TEST(what_is_built_is_read_back)
{
	struct fdt f;
	char	  *xml;
	size_t	   len;

	ck_assert_int_eq(fdt_build(&two, &xml, &len), 0);
	ck_assert_str_eq(xml, two_xml);
	ck_assert_uint_eq(len, strlen(two_xml));
	ck_assert_msg(
	    fdt_parse(&f, xml, len, UINT64_MAX, &why) == 0, "%s", why);
	free(xml);
	ck_assert_uint_eq(f.expires, two.expires);
	ck_assert(f.is_complete);
	ck_assert_uint_eq(f.n, 2);
	for (size_t i = 0; i < f.n; i++) {
		ck_assert_str_eq(f.file[i].name, files[i].name);
		ck_assert_str_eq(f.file[i].kind, files[i].kind);
		ck_assert(hash_eq(&f.file[i].hash, &files[i].hash));
		ck_assert_mem_eq(
		    &f.file[i].fti, &files[i].fti, sizeof(struct alc_fti));
		ck_assert_uint_eq(f.file[i].toi, files[i].toi);
	}
	fdt_fini(&f);
	fdt_fini(&f);
}
END_TEST

/* Another writer's way to say the same, and what it may add. */
static const struct {
	const char *what, *xml;
} read[] = {
	{ "plain", HEAD "Expires=\"1\">" ONE TAIL },
	{ "no declaration, other prefixes, other order",
	    "<f:FDT-Instance Expires='1' xmlns:f='urn:ietf:params:xml:ns:fdt' "
	    "xmlns:q='urn:dpoint:fdt:1'><f:File q:sha256='" HEX64
	    "' " TOI PLACE LEN CODE BLOCK SYM MAX "/></f:FDT-Instance>" },
	{ "attributes, elements and text unknown to us", HEAD
	    "Expires=\"1\" xmlns:o=\"urn:o\" o:p=\"q\">text<o:x><o:y/></o:x>"
	    "<!-- c --><?pi?><File o:z=\"1\" Content-Type=\"text/plain\" " TOI
		PLACE LEN CODE BLOCK SYM MAX HASH
	    "><o:w>&lt;</o:w></File>" TAIL },
	{ "the code said for all files",
	    HEAD "Expires=\"1\" " CODE BLOCK SYM MAX ">"
		 "<File " TOI PLACE LEN HASH "/>" TAIL },
	{ "the code said for all, and otherwise for one",
	    HEAD "Expires=\"1\" " CODE
		 "FEC-OTI-Maximum-Source-Block-Length=\"9\" " SYM MAX ">"
		 "<File " TOI PLACE LEN BLOCK HASH "/>" TAIL },
	{ "not complete, said", HEAD "Expires=\"1\" Complete=\"0\">" ONE TAIL },
	{ "letters that need no escape, escaped",
	    HEAD "Expires=\"1\"><File Content-Location=\"%61/&#98;\" " TOI LEN
		CODE BLOCK SYM MAX HASH "/>" TAIL },
	{ "a file of another namespace is none of ours", HEAD
	    "Expires=\"1\"><File xmlns=\"urn:x\" TOI=\"junk\"/>" ONE TAIL },
};

START_TEST(another_writers_xml_is_read)
{
	struct fdt f;

	ck_assert_msg(
	    parse(&f, read[_i].xml) == 0, "%s: %s", read[_i].what, why);
	ck_assert_uint_eq(f.n, 1);
	ck_assert(!f.is_complete);
	ck_assert_str_eq(f.file[0].name, "a/b");
	ck_assert_uint_eq(f.file[0].fti.length, 3000);
	ck_assert_uint_eq(f.file[0].fti.block, 200);
	ck_assert_uint_eq(f.file[0].fti.symbol, 1432);
	ck_assert_uint_eq(f.file[0].fti.symbols, 255);
	fdt_fini(&f);
}
END_TEST

#define DEEP	   "<a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a>"
#define WITH(atts) HEAD "Expires=\"1\"><File " atts "/>" TAIL
#define REST	   LEN CODE BLOCK SYM MAX HASH
static const struct {
	const char *why, *xml, *reason;
} refused[] = {
	{ "nothing", "", "not well-formed XML" },
	{ "no XML", "FDT", "not well-formed XML" },
	{ "cut", HEAD "Expires=\"1\">" ONE, "not well-formed XML" },
	{ "two documents", HEAD "Expires=\"1\">" ONE TAIL "<x/>",
	    "not well-formed XML" },
	{ "not UTF-8", WITH("Content-Location=\"\377\" " TOI REST),
	    "not well-formed XML" },
	{ "an undefined entity", WITH("Content-Location=\"&x;\" " TOI REST),
	    "not well-formed XML" },
	{ "an undeclared prefix", WITH("zz:a=\"1\" " TOI PLACE REST),
	    "not well-formed XML" },
	{ "an attribute twice", WITH(TOI TOI PLACE REST),
	    "not well-formed XML" },
	{ "a document type",
	    "<!DOCTYPE FDT-Instance SYSTEM \"file:///etc/passwd\"><a/>",
	    "a document type" },
	{ "entities within entities",
	    "<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">"
	    "<!ENTITY c \"&b;&b;&b;&b;\">]><x>&c;&c;&c;&c;</x>",
	    "a document type" },
	{ "no file", HEAD "Expires=\"1\">" TAIL, "no file" },
	{ "elements too deep", HEAD "Expires=\"1\">" DEEP ONE TAIL,
	    "elements too deep" },
	{ "another document", "<html/>", "not an FDT-Instance of RFC 6726" },
	{ "RFC 3926's FDT", "<FDT-Instance Expires=\"1\"/>",
	    "not an FDT-Instance of RFC 6726" },
	{ "no Expires", HEAD ">" ONE TAIL, "no Expires, or out of range" },
	{ "Expires beyond 32 bits", HEAD "Expires=\"4294967296\">" ONE TAIL,
	    "no Expires, or out of range" },
	{ "Expires below 0", HEAD "Expires=\"-1\">" ONE TAIL,
	    "no Expires, or out of range" },
	{ "Complete of neither kind",
	    HEAD "Expires=\"1\" Complete=\"maybe\">" ONE TAIL,
	    "Complete is not a boolean" },
	{ "no TOI", WITH(PLACE REST), "no TOI, or out of range" },
	{ "TOI 0", WITH("TOI=\"0\" " PLACE REST), "no TOI, or out of range" },
	{ "TOI beyond 16 bits", WITH("TOI=\"65536\" " PLACE REST),
	    "no TOI, or out of range" },
	{ "TOI in hex", WITH("TOI=\"0x1\" " PLACE REST),
	    "no TOI, or out of range" },
	{ "TOI of nothing", WITH("TOI=\"\" " PLACE REST),
	    "no TOI, or out of range" },
	{ "a TOI twice", HEAD "Expires=\"1\">" ONE ONE TAIL, "a TOI twice" },
	{ "no hash", WITH(TOI PLACE LEN CODE BLOCK SYM MAX),
	    "no SHA-256, or no such number" },
	{ "a hash of no namespace",
	    WITH(TOI PLACE LEN CODE BLOCK SYM MAX "sha256=\"" HEX64 "\""),
	    "no SHA-256, or no such number" },
	{ "half a hash",
	    WITH(TOI PLACE LEN CODE BLOCK SYM MAX "dp:sha256=\"00112233\""),
	    "no SHA-256, or no such number" },
	{ "no hex",
	    WITH(TOI PLACE LEN CODE BLOCK SYM MAX
		"dp:sha256=\"zz"
		"112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
		"\""),
	    "no SHA-256, or no such number" },
	{ "a kind of two words", WITH("dp:kind=\"a b\" " TOI PLACE REST),
	    "a kind that is no short word" },
	{ "a kind of 32 letters",
	    WITH(
		"dp:kind=\"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb\" " TOI PLACE REST),
	    "a kind that is no short word" },
	{ "no name", WITH(TOI REST), "no Content-Location" },
	{ "no length", WITH(TOI PLACE CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "no content length",
	    WITH(TOI PLACE "Transfer-Length=\"9\" " CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "two lengths",
	    WITH(TOI PLACE "Transfer-Length=\"9\" "
			   "Content-Length=\"8\" " CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "length 0",
	    WITH(TOI PLACE "Transfer-Length=\"0\" "
			   "Content-Length=\"0\" " CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "a length beyond 48 bits",
	    WITH(TOI PLACE
		"Transfer-Length=\"281474976710656\" "
		"Content-Length=\"281474976710656\" " CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "a length that wraps to 1",
	    WITH(TOI PLACE "Transfer-Length=\"18446744073709551617\" "
			   "Content-Length=\"18446744073709551617\" " CODE BLOCK
			       SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "a length of 40 digits",
	    WITH(TOI PLACE "Transfer-Length="
			   "\"1000000000000000000000000000000000000000\" "
			   "Content-Length=\"1\" " CODE BLOCK SYM MAX HASH),
	    "no length, two lengths, or a content encoding" },
	{ "compressed", WITH("Content-Encoding=\"gzip\" " TOI PLACE REST),
	    "no length, two lengths, or a content encoding" },
	{ "RFC 5510's ID 5",
	    WITH(TOI PLACE LEN
		"FEC-OTI-FEC-Encoding-ID=\"5\" "
		"FEC-OTI-FEC-Instance-ID=\"0\" " BLOCK SYM MAX HASH),
	    "a FEC encoding that is not ours" },
	{ "another instance of ID 129",
	    WITH(TOI PLACE LEN
		"FEC-OTI-FEC-Encoding-ID=\"129\" "
		"FEC-OTI-FEC-Instance-ID=\"1\" " BLOCK SYM MAX HASH),
	    "a FEC encoding that is not ours" },
	{ "no FEC encoding", WITH(TOI PLACE LEN BLOCK SYM MAX HASH),
	    "a FEC encoding that is not ours" },
	{ "blocks of 256 symbols",
	    WITH(TOI PLACE LEN					       CODE
		"FEC-OTI-Maximum-Source-Block-Length=\"256\" " SYM MAX HASH),
	    "the source block length is out of range" },
	{ "blocks of no symbols",
	    WITH(TOI PLACE LEN					     CODE
		"FEC-OTI-Maximum-Source-Block-Length=\"0\" " SYM MAX HASH),
	    "the source block length is out of range" },
	{ "symbols of 64 KiB",
	    WITH(TOI PLACE LEN CODE				BLOCK
		"FEC-OTI-Encoding-Symbol-Length=\"65536\" " MAX HASH),
	    "the symbol length is out of range" },
	{ "symbols of no bytes",
	    WITH(TOI PLACE LEN CODE			    BLOCK
		"FEC-OTI-Encoding-Symbol-Length=\"0\" " MAX HASH),
	    "the symbol length is out of range" },
	{ "256 encoding symbols",
	    WITH(TOI PLACE LEN CODE BLOCK SYM
		"FEC-OTI-Max-Number-of-Encoding-Symbols=\"256\" " HASH),
	    "the number of encoding symbols is out of range" },
	{ "a code for all files that is out of range",
	    HEAD "Expires=\"1\" " CODE					 BLOCK
		 "FEC-OTI-Encoding-Symbol-Length=\"65536\" " MAX ">" ONE TAIL,
	    "the symbol length is out of range" },
	{ "half a code for all files",
	    HEAD "Expires=\"1\" " CODE BLOCK SYM ">"
		 "<File " TOI PLACE LEN HASH "/>" TAIL,
	    "the number of encoding symbols is out of range" },
	{ "fewer encoding symbols than source symbols",
	    WITH(TOI PLACE LEN CODE BLOCK SYM
		"FEC-OTI-Max-Number-of-Encoding-Symbols=\"199\" " HASH),
	    "a length and FEC numbers that do not fit" },
	{ "more than 2^32 symbols",
	    WITH(TOI PLACE "Transfer-Length=\"1000000000000\" "
			   "Content-Length=\"1000000000000\" " CODE    BLOCK
			   "FEC-OTI-Encoding-Symbol-Length=\"9\" " MAX HASH),
	    "a length and FEC numbers that do not fit" },
};

START_TEST(what_is_wrong_is_refused_with_the_reason)
{
	struct fdt f;

	ck_assert_msg(parse(&f, refused[_i].xml) == -EBADMSG, "accepted: %s",
	    refused[_i].why);
	ck_assert_str_eq(why, refused[_i].reason);
	ck_assert_ptr_null(f.file);
}
END_TEST

static const char *const names[] = { "", "/", "/etc/passwd", "..", "../x",
	"a/..", "a/../b", ".", "./a", "a/./b", "a//b", "a/", "%2e%2e/x",
	"a/%2E%2E", "%2fetc/passwd", "a%00b", "a%0ab", "a%7f", "a%5cb", "a\\b",
	"%", "%2", "%zz", "a&#10;b", "100%" };

START_TEST(a_name_that_is_no_plain_path_is_refused)
{
	struct fdt f;
	char	   xml[2048];

	snprintf(xml, sizeof(xml), WITH("Content-Location=\"%s\" " TOI REST),
	    names[_i]);
	ck_assert_msg(
	    parse(&f, xml) == -EBADMSG, "accepted: \"%s\"", names[_i]);
	ck_assert_str_eq(why, "a Content-Location that is no plain path");
}
END_TEST

START_TEST(a_longer_object_than_allowed_is_refused)
{
	static const char xml[] = HEAD "Expires=\"1\">" ONE TAIL;
	struct fdt					    f;

	ck_assert_int_eq(fdt_parse(&f, xml, strlen(xml), 3000, &why), 0);
	fdt_fini(&f);
	ck_assert_int_eq(fdt_parse(&f, xml, strlen(xml), 2999, &why), -EFBIG);
	ck_assert_str_eq(why, "an object longer than allowed");
}
END_TEST

/* n files, or one file and white space behind, as large as asked. */
static char *
many(size_t n, size_t size)
{
	char  *xml = NULL;
	size_t len;
	FILE  *out = open_memstream(&xml, &len);

	fprintf(out, HEAD "Expires=\"1\">");
	for (size_t i = 1; i <= n; i++)
		fprintf(out,
		    "<File TOI=\"%zu\" " PLACE LEN CODE BLOCK SYM MAX HASH
		    "/>\n",
		    i);
	fprintf(out, TAIL);
	fflush(out);
	while (len < size) {
		putc(' ', out);
		fflush(out);
	}
	fclose(out);
	return xml;
}

START_TEST(the_number_of_files_and_the_size_are_bounded)
{
	struct fdt f;
	char	  *xml = many(FDT_FILES_MAX, 0);

	ck_assert_uint_lt(strlen(xml), FDT_SIZE_MAX);
	ck_assert_int_eq(parse(&f, xml), 0);
	ck_assert_uint_eq(f.n, FDT_FILES_MAX);
	fdt_fini(&f);
	free(xml);
	xml = many(FDT_FILES_MAX + 1, 0);
	ck_assert_int_eq(parse(&f, xml), -EFBIG);
	ck_assert_str_eq(why, "too many files");
	free(xml);
	xml = many(1, FDT_SIZE_MAX);
	ck_assert_int_eq(parse(&f, xml), 0);
	fdt_fini(&f);
	free(xml);
	xml = many(1, FDT_SIZE_MAX + 1);
	ck_assert_int_eq(parse(&f, xml), -EFBIG);
	ck_assert_str_eq(why, "an FDT longer than allowed");
	free(xml);
}
END_TEST

START_TEST(what_breaks_a_rule_is_not_built)
{
	struct fdt_file file = files[0], pair[2] = { files[0], files[0] };
	struct fdt	f = { .n = 1, .file = &file };
	char	       *xml, name[FDT_NAME_MAX + 1];
	size_t		len;

	ck_assert_int_eq(fdt_build(&f, &xml, &len), 0);
	free(xml);
	file.toi = 0;
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	file = files[0], file.name = (char *)"../x";
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	memset(name, 'a', FDT_NAME_MAX);
	name[FDT_NAME_MAX] = '\0';
	file = files[0], file.name = name;
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	name[FDT_NAME_MAX - 1] = '\0';
	ck_assert_int_eq(fdt_build(&f, &xml, &len), 0);
	free(xml);
	file = files[0], file.kind[0] = '"';
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	file = files[0], file.fti.length = 0;
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	file = files[0], file.fti.symbols = 199;
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	f = (struct fdt){ .n = 2, .file = pair };
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	f.n = 0;
	ck_assert_int_eq(fdt_build(&f, &xml, &len), -EINVAL);
	ck_assert_ptr_null(xml);
}
END_TEST

/* Many files in instances of one packet each: all are there, once, in order. */
START_TEST(files_are_spread_over_instances_that_fit)
{
	enum { N = 40 };
	struct fdt_file many_files[N];
	struct fdt	f = { .is_complete = true, .n = N, .file = many_files };
	char		name[N][80], *xml, longer[FDT_NAME_MAX];
	size_t		len, next = 0, seen = 0, instances = 0;

	for (size_t i = 0; i < N; i++) {
		snprintf(name[i], sizeof(name[i]), "site/targets/policies/%zu",
		    i * i * i);
		many_files[i] = files[0];
		many_files[i].name = name[i];
		many_files[i].toi = (uint16_t)(i + 1);
	}
	for (; next < N; instances++) {
		struct fdt part;

		ck_assert_int_eq(
		    fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &xml, &len), 0);
		ck_assert_uint_eq(len, strlen(xml));
		ck_assert_uint_le(len, ALC_SYMBOL_FDT);
		ck_assert_int_eq(fdt_parse(&part, xml, len, LIMIT, &why), 0);
		for (size_t i = 0; i < part.n; i++)
			ck_assert_uint_eq(part.file[i].toi, ++seen);
		ck_assert_uint_eq(seen, next);
		ck_assert_int_eq(part.is_complete, next == N);
		fdt_fini(&part);
		free(xml);
	}
	ck_assert_uint_le(instances, N / 4);
	ck_assert_int_eq(
	    fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &xml, &len), -EINVAL);
	/* a name that is too long for a packet, not for an FDT */
	memset(longer, 'a', sizeof(longer));
	longer[1000] = '\0';
	many_files[3].name = longer;
	next = 0;
	ck_assert_int_eq(
	    fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &xml, &len), 0);
	ck_assert_uint_eq(next, 3);
	free(xml);
	ck_assert_int_eq(
	    fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &xml, &len), -EFBIG);
	ck_assert_ptr_null(xml);
	ck_assert_uint_eq(next, 3);
	many_files[3].name = (char *)"../x";
	ck_assert_int_eq(
	    fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &xml, &len), -EINVAL);
}
END_TEST

START_TEST(expiry_survives_the_end_of_an_era)
{
	static const int64_t around = 2085978496; /* 2036-02-07 06:28:16 */
	struct fdt	     f = { .expires = fdt_expires(around + 60) };

	ck_assert_uint_eq(fdt_expires(0), 2208988800u);
	ck_assert_uint_eq(fdt_expires(around), 0);
	ck_assert(!fdt_expired(&f, around - 3600));
	ck_assert(!fdt_expired(&f, around + 60));
	ck_assert(fdt_expired(&f, around + 61));
	ck_assert(fdt_expired(&f, around + 86400));
}
END_TEST

/* -- gathering -- */

static struct fdt_gather g;
static struct alc_head	 head = { .fdt = 1, .fti = { 10, 3, 4, 0 } };

static int
gather(uint32_t fdt, uint16_t esi, const char *bytes)
{
	head.fdt = fdt;
	head.esi = esi;
	return fdt_gather(&g, &head, bytes, strlen(bytes));
}

START_TEST(packets_in_any_order_make_an_fdt)
{
	ck_assert_int_eq(gather(1, 2, "ij"), 0);
	ck_assert_int_eq(gather(1, 0, "abcd"), 0);
	ck_assert_int_eq(gather(1, 0, "abcd"), 0);
	ck_assert_int_eq(gather(1, 1, "efgh"), 1);
	ck_assert_uint_eq(g.len, 10);
	ck_assert_mem_eq(g.bytes, "abcdefghij", 10);
	ck_assert_int_eq(gather(1, 1, "efgh"), 0); /* once is enough */
	/* another instance begins anew */
	ck_assert_int_eq(gather(2, 0, "ABCD"), 0);
	ck_assert_int_eq(gather(2, 1, "EFGH"), 0);
	ck_assert_int_eq(gather(2, 2, "IJ"), 1);
	ck_assert_mem_eq(g.bytes, "ABCDEFGHIJ", 10);
	fdt_gather_fini(&g);
}
END_TEST

START_TEST(packets_that_do_not_fit_are_refused)
{
	ck_assert_int_eq(gather(1, 0, "abcd"), 0);
	ck_assert_int_eq(gather(1, 1, "efg"), -EBADMSG);
	ck_assert_int_eq(gather(1, 1, "efghi"), -EBADMSG);
	ck_assert_int_eq(gather(1, 2, "ijk"), -EBADMSG);
	ck_assert_int_eq(gather(1, 3, "k"), -EBADMSG);
	ck_assert_int_eq(gather(1, 65535, "k"), -EBADMSG);
	head.sbn = 1;
	ck_assert_int_eq(gather(1, 1, "efgh"), -EBADMSG);
	head.sbn = 0;
	head.fti.length = 11; /* the same instance, changed */
	ck_assert_int_eq(gather(1, 1, "efgh"), -EBADMSG);
	head.fti.length = FDT_SIZE_MAX + 1;
	ck_assert_int_eq(gather(2, 0, "efgh"), -EFBIG);
	head.fti.length = 4 * 256 + 1; /* more symbols than the bitmap has */
	ck_assert_int_eq(gather(2, 0, "efgh"), -EBADMSG);
	head.fti.length = 281470681677825, head.fti.symbol = 1;
	ck_assert_int_eq(gather(2, 0, "e"), -EFBIG);
	head.fti = (struct alc_fti){ 10, 3, 4, 0 };
	/* and nothing of all that has spoiled what was there */
	ck_assert_int_eq(gather(1, 1, "efgh"), 0);
	ck_assert_int_eq(gather(1, 2, "ij"), 1);
	ck_assert_mem_eq(g.bytes, "abcdefghij", 10);
	fdt_gather_fini(&g);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("fdt");
	TCase	*t = tcase_create("fdt");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, what_is_built_is_read_back);
	tcase_add_loop_test(t, another_writers_xml_is_read, 0, COUNT(read));
	tcase_add_loop_test(
	    t, what_is_wrong_is_refused_with_the_reason, 0, COUNT(refused));
	tcase_add_loop_test(
	    t, a_name_that_is_no_plain_path_is_refused, 0, COUNT(names));
	tcase_add_test(t, a_longer_object_than_allowed_is_refused);
	tcase_add_test(t, the_number_of_files_and_the_size_are_bounded);
	tcase_add_test(t, what_breaks_a_rule_is_not_built);
	tcase_add_test(t, files_are_spread_over_instances_that_fit);
	tcase_add_test(t, expiry_survives_the_end_of_an_era);
	tcase_add_test(t, packets_in_any_order_make_an_fdt);
	tcase_add_test(t, packets_that_do_not_fit_are_refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

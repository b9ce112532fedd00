/*
 * tests/unit/check_listen_ssdp.c - what ssdp.h promises.
 * SPDX-License-Identifier: ISC
 */
#include "tests/unit/heard.h"
#include "dp-listen/ssdp.h"

static const struct heard_row rows[] = {
	{ "answer, as minissdpd has it", NULL,
	    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\n"
	    "ST: urn:schemas-upnp-org:device:MediaServer:1\r\n"
	    "USN: uuid:4d696e69-444c-164e-9d41-020000000516::urn:schemas-upnp-org:device:MediaServer:1\r\n"
	    "EXT:\r\nSERVER: Debian/12 DLNADOC/1.50 UPnP/1.0 Shelf/1.3.0\r\n"
	    "LOCATION: http://198.18.0.10:8200/rootDesc.xml\r\n\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10 os=Debian/12 DLNADOC/1.50 model=Shelf/1.3.0 "
	    "service=urn:schemas-upnp-org:device:MediaServer:1 8200 "
	    "uuid:4d696e69-444c-164e-9d41-020000000516" },
	{ "alive", NULL,
	    "NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\nnt: urn:x:service:Y:1\r\n"
	    "Location: http://[fe80::1]:81/\r\nServer: Linux/4.4, UPnP/1.0, Box 7/1.0\r\n\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10 os=Linux/4.4 model=Box 7/1.0 "
	    "service=urn:x:service:Y:1 81 " },
	{ "goodbye", NULL, "NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\nNT: urn:x:service:Y:1\r\n\r\n", "" },
	{ "search", NULL, "M-SEARCH * HTTP/1.1\r\nST: urn:x:service:Y:1\r\n"
	    "USER-AGENT: iOS/17 UPnP/1.1 App/3\r\nCPFN.UPNP.ORG: My \033phone\r\n\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10 os=iOS/17 model=App/3 name=My \\x1bphone" },
	{ "port that is none", NULL,
	    "HTTP/1.1 200 OK\r\nST: urn:a:b\r\nLOCATION: http://h:99999/\r\n\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10 service=urn:a:b 0 " },
	{ "no port is 80", NULL, "HTTP/1.1 200 OK\nST: urn:a:b\nLOCATION: http://h/\n\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10 service=urn:a:b 80 " },
	{ "of a kind that says nothing", NULL, "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10" },
	{ "behind the head", NULL, "HTTP/1.1 200 OK\r\n\r\nST: urn:a:b\r\n",
	    "ssdp 02:00:00:00:05:10 198.18.0.10" },
	{ "another method", NULL, "GET / HTTP/1.1\r\n\r\n", NULL },
	{ "another answer", NULL, "HTTP/1.1 404 no\r\n\r\n", NULL },
};

HEARD_ROWS("ssdp", ssdp_read, "198.18.0.10")

// client.js REPO ROOT OUT TARGET... - tuf-js reads REPO, which this serves on
// loopback, from the trusted ROOT, and downloads the targets to OUT. With a "!"
// before it a target must be refused.
// SPDX-License-Identifier: ISC
const fs = require('fs');
const http = require('http');
const path = require('path');
const { Updater } = require('tuf-js');

const [repo, root, out, ...targets] = process.argv.slice(2);

const server = http.createServer((req, res) => {
	// as web servers do: the escapes of a URL are undone once
	const file = path.join(repo, decodeURIComponent(req.url));
	fs.readFile(file, (err, data) => {
		res.writeHead(err ? 404 : 200);
		res.end(err ? '' : data);
	});
});

server.listen(0, '127.0.0.1', async () => {
	const base = `http://127.0.0.1:${server.address().port}`;
	let rc = 0;
	try {
		fs.mkdirSync(path.join(out, 'metadata'), { recursive: true });
		if (!fs.existsSync(path.join(out, 'metadata', 'root.json')))
			fs.copyFileSync(root, path.join(out, 'metadata', 'root.json'));
		const updater = new Updater({
			metadataDir: path.join(out, 'metadata'),
			metadataBaseUrl: `${base}/metadata`,
			targetDir: out,
			targetBaseUrl: `${base}/targets`,
			config: { fetchRetry: 0 },
		});
		await updater.refresh();
		for (const t of targets) {
			const info = await updater.getTargetInfo(t.replace(/^!/, ''));
			if (t.startsWith('!')) {
				if (info) throw new Error(`${t}: still there`);
				continue;
			}
			if (!info) throw new Error(`${t}: not found`);
			await updater.downloadTarget(info, path.join(out, path.basename(t)));
			console.log(t, info.length, JSON.stringify(info.custom));
		}
	} catch (e) {
		console.error(String(e));
		rc = 1;
	}
	server.close();
	server.closeAllConnections();
	process.exitCode = rc;
});

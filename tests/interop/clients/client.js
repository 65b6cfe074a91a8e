// A customer's program in Node.js, after the habits of the vendor's newer samples: core modules, AKSK, certificates
// unchecked, numbers and booleans as JavaScript has them, the query written by querystring. Use: see client.py.
'use strict';
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const querystring = require('querystring');
const readline = require('readline');

const [base, pairs, port] = process.argv.slice(2);
const secrets = Object.fromEntries(pairs.split(',').map((pair) => pair.split('=')));

function tell(...words) {
  process.stdout.write(words.join('\t') + '\n');
}

function digest(nonce, created, secret) {
  return crypto.createHmac('sha256', secret).update(nonce + created).digest('base64');
}

function aksk(key) {
  const created = new Date().toISOString().replace(/\.[0-9]+Z$/, 'Z');
  const nonce = crypto.randomUUID().replaceAll('-', '').toUpperCase();
  const made = digest(nonce, created, secrets[key]);
  return `UsernameToken Username="${key}", PasswordDigest="${made}", Nonce="${nonce}", Created="${created}"`;
}

function typed(value) {
  if (/^(0|[1-9][0-9]{0,4})$/.test(value)) return Number(value);
  return value === 'true' ? true : value === 'false' ? false : value;
}

function send(key, method, path, fields, done) {
  const inBody = method === 'POST' || method === 'PUT';
  const body = inBody
    ? JSON.stringify(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typed(value)])))
    : '';
  const query = !inBody && Object.keys(fields).length ? '?' + querystring.stringify(fields) : '';
  const headers = {
    'content-type': 'application/json;charset=UTF-8',
    authorization: 'AKSK realm="SDP", profile="UsernameToken", type="Appkey"',
    'x-aksk': aksk(key),
  };
  if (inBody) headers['content-length'] = Buffer.byteLength(body);
  const options = { method, headers, rejectUnauthorized: false };
  const request = (base.startsWith('https') ? https : http).request(base + path + query, options, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => done(answer.statusCode, answer.headers, Buffer.concat(parts)));
  });
  request.on('error', (error) => tell('answer', 0, error.message));
  request.end(body);
}

function receive(request, response) {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const parts = Object.fromEntries([...request.headers['x-aksk'].matchAll(/(\w+)="([^"]*)"/g)]
      .map((found) => [found[1], found[2]]));
    const wanted = digest(parts.Nonce, parts.Created, secrets[parts.Username] || '');
    tell('event', request.url, wanted === parts.PasswordDigest, JSON.stringify(JSON.parse(body)));
    response.end('{"resultcode":"0","resultdesc":"Success"}');
  });
}

http.createServer(receive).listen(Number(port), '127.0.0.1', () => tell('ready'));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [verb, key, ...rest] = line.split('\t');
  const fields = {};
  for (const pair of rest[rest.length - 1].split('&').filter(Boolean)) {
    const at = pair.indexOf('=');
    fields[pair.slice(0, at)] = pair.slice(at + 1);
  }
  if (verb === 'ask') {
    send(key, rest[0], rest[1], fields, (status, _, body) => tell('answer', status, body.toString()));
    return;
  }
  send(key, 'GET', '/rest/provision/voice/record/v1.0', fields, (status, headers) => {
    const { location } = headers;
    (location.startsWith('https') ? https : http).get(location, { rejectUnauthorized: false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const content = Buffer.concat(parts);
        tell('file', status, content.length, content.subarray(0, 4).toString('latin1'));
      });
    });
  });
}).on('close', () => process.exit(0));

// Stands in for nginx as the upstream where that is missing: the same answer to everything.
// usage: node json-server.ts PORT
import { createServer } from 'node:http'
import { chatAnswer } from './answers.ts'

const body = Buffer.from(chatAnswer)
const headers = ['content-type', 'application/json', 'content-length', `${body.length}`]

createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, headers).end(body))
}).listen(Number(process.argv[2]), '127.0.0.1')
